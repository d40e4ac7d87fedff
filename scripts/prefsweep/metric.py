"""What a metric is, and how a function becomes one: `Kind.metric` enters it in the catalogue."""

import inspect
from collections.abc import Callable
from typing import Generic, Literal, TypeVar

from prefsweep.records.base import Record

Direction = Literal["higher", "lower", "neutral"]
"""Which way is better; a neutral metric is shown and never judged."""

Subject = TypeVar("Subject")
Value = TypeVar("Value")


class Metric(Record):
    """A number per prompt; a run's value is its mean over prompts."""

    name: str
    unit: str
    """`share` reads as per cent and percentage points; anything else is a plain unit."""
    direction: Direction
    description: str
    source: str
    rate: bool = False
    """Each prompt gives 0, 1 or a tie's 1/2, so that the mean is a proportion."""
    needs_pairs: bool = False
    """Compares a held-out pair's two answers, rather than looking at what a model wrote."""
    needs_judge: bool = False
    """Is a judge's comparison of answers."""
    needs_reward_model: bool = False
    """Is what a reward model gives an answer."""
    against_base: bool = False
    """Compares with the base, whose own value follows by definition."""


class Kind(Generic[Subject, Value]):
    """The metrics that look at one kind of thing, such as an answer, and give a number, or an array of them."""

    def __init__(
        self,
        *,
        needs_pairs: bool = False,
        needs_judge: bool = False,
        needs_reward_model: bool = False,
        against_base: bool = False,
    ) -> None:
        self.entries: dict[str, Metric] = {}
        """By name, in the order in which they were entered."""
        self._flags = {
            "needs_pairs": needs_pairs,
            "needs_judge": needs_judge,
            "needs_reward_model": needs_reward_model,
            "against_base": against_base,
        }
        self._functions: dict[str, Callable[[Subject], Value | None]] = {}

    def metric(
        self, unit: str, direction: Direction, source: str, *, rate: bool = False
    ) -> Callable[[Callable[[Subject], Value | None]], Callable[[Subject], Value | None]]:
        """Enter a function under its own name; its docstring's first paragraph is the description.

        It gives None where it does not apply.
        """

        def enter(function: Callable[[Subject], Value | None]) -> Callable[[Subject], Value | None]:
            name = function.__name__
            description = " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
            self.entries[name] = Metric(
                name=name, unit=unit, direction=direction, description=description, source=source,
                rate=rate, **self._flags,
            )  # fmt: skip
            self._functions[name] = function
            return function

        return enter

    def values(self, subject: Subject) -> dict[str, Value]:
        """Every metric of this kind that applies, by name."""
        found = {name: function(subject) for name, function in self._functions.items()}
        return {name: value for name, value in found.items() if value is not None}
