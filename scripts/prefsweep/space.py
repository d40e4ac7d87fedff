"""The points a method may have: axes of values, those whose values go together as one axis, and what is left out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from random import Random
from typing import Any

from pydantic import BaseModel

from prefsweep.methods import Method
from prefsweep.search import Search
from prefsweep.settings import METHOD, NOT_SWEPT, PAIRED, TrainSettings
from prefsweep.swept import Range

Values = dict[str, Any]
"""Some keys of a point and their values."""

ENUMERABLE = 100_000
"""Combinations of one method that are ever listed; more are only drawn from."""
_MISSES = 1000
"""Draws in a row without a new point after which a space counts as exhausted."""


@dataclass(frozen=True, eq=False)
class Axis:
    """Keys whose values change together: each of `options` has a value for each of them. Or one key in a range."""

    keys: tuple[str, ...]
    options: tuple[Values, ...] = ()
    range: Range | None = None

    def offers(self, wanted: Values) -> bool:
        """Whether an option has all values of `wanted` that are this axis's. A range is not made of options."""
        mine = {key: value for key, value in wanted.items() if key in self.keys}
        return not mine or any(mine.items() <= option.items() for option in self.options)

    def draw(self, chance: Random) -> Values:
        if self.range:
            return {self.keys[0]: self.range.at(chance.random())}
        return chance.choice(self.options)


@dataclass(frozen=True)
class Space:
    """One method's axes, which cover each of its keys once, and the partial points that are left out."""

    method: str
    axes: tuple[Axis, ...]
    keys: tuple[str, ...]
    excluded: tuple[Values, ...] = ()

    @property
    def size(self) -> float:
        """Combinations, before any is left out; infinite where a range is drawn from."""
        return prod(float("inf") if axis.range else len(axis.options) for axis in self.axes)

    def has(self, wanted: Values) -> bool:
        """Whether some combination, if it were not left out, has all these values."""
        mine = {key: value for key, value in wanted.items() if key != METHOD}
        return (
            wanted.get(METHOD, self.method) == self.method
            and mine.keys() <= set(self.keys)
            and all(axis.offers(mine) for axis in self.axes)
        )

    def points(self, search: Search) -> list[Values]:
        """Every combination in order, or those that `search` draws without replacement, the same for the same seed.

        The first draws stay when more are asked for, and no other method changes them.
        """
        if search.random is None:
            return list(self._combinations())
        if self.size > ENUMERABLE:
            return list(self._drawn(search.random, search.seed))
        every = list(self._combinations())
        if len(every) > search.random:
            Random(f"{search.seed} {self.method}").shuffle(every)
        return every[: search.random]

    def _combinations(self) -> Iterator[Values]:
        for options in product(*(axis.options for axis in self.axes)):
            point = self._merged(options)
            if not self._left_out(point):
                yield point

    def _drawn(self, count: int, seed: int) -> Iterator[Values]:
        # A stream for each axis, so that another value of one key keeps what is drawn for the others.
        streams = [Random(f"{seed} {self.method} {' '.join(axis.keys)}") for axis in self.axes]
        seen: set[tuple[Any, ...]] = set()
        misses = 0
        while len(seen) < count and misses < _MISSES:
            point = self._merged([axis.draw(stream) for axis, stream in zip(self.axes, streams, strict=True)])
            values = tuple(point.values())
            if values in seen or self._left_out(point):
                misses += 1
                continue
            misses = 0
            seen.add(values)
            yield point

    def _merged(self, options: Sequence[Values]) -> Values:
        point = {key: value for option in options for key, value in option.items()}
        return {key: point[key] for key in self.keys}

    def _left_out(self, point: Values) -> bool:
        named = point | {METHOD: self.method}
        return any(entry.items() <= named.items() for entry in self.excluded)


def space_of(
    method: Method, train: BaseModel, section: BaseModel, excluded: Sequence[BaseModel], weights: Mapping[str, float]
) -> Space:
    """The space of a method: defaults, over them `train`, over that the method's own section.

    `weights` take the place of the defaults of knobs that follow from the data.
    """
    defaults = {name: weights.get(name, knob.default) for name, knob in method.knobs.items()}
    defaults |= {name: field.default for name, field in TrainSettings.model_fields.items()}
    defaults |= {"learning_rate": method.learning_rate.default}
    axes = {key: Axis((key,), ({key: value},)) for key, value in defaults.items()}
    for layer in (train, section):
        for axis in _written_axes(layer):
            axes |= dict.fromkeys(axis.keys, axis)
    left_out = tuple(entry.model_dump(exclude_unset=True) for entry in excluded)
    return Space(method.method, tuple(dict.fromkeys(axes.values())), tuple(defaults), left_out)


def _written_axes(section: BaseModel) -> Iterator[Axis]:
    for key in written_keys(section):
        values = getattr(section, key)
        if isinstance(values, Range) and values.num is None:
            yield Axis((key,), range=values)
        else:
            listed = values.values if isinstance(values, Range) else values
            yield Axis((key,), tuple({key: value} for value in listed))
    if paired := getattr(section, PAIRED):
        options = tuple(entry.model_dump(exclude_unset=True) for entry in paired)
        yield Axis(tuple(options[0]), options)


def written_keys(section: BaseModel) -> list[str]:
    """The settings a section gives values of their own, in the catalogue's order."""
    given = section.model_fields_set - NOT_SWEPT
    return [name for name in type(section).model_fields if name in given]
