"""The method catalogue: `config/methods/*.yaml` as typed values, and the one translation to engine flags.

A variant of a method is a file like any other: what sets it apart is its objective, knobs and flags, never code.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prefsweep.formula import evaluated, unknown_names
from prefsweep.yaml_file import load_yaml

DataForm = Literal["pairs", "labelled"]


class Knob(BaseModel):
    """A hyperparameter that only this method has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str
    meaning: str
    default: float
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    published: tuple[float, float] | None = None
    """The range found in `source`; values outside are run, with a notice. None: only together with another knob."""
    source: str

    @model_validator(mode="after")
    def _one_bound_on_each_side(self) -> Self:
        if (self.above is None) == (self.at_least is None):
            raise ValueError("give exactly one of `above` and `at_least`")
        if (self.below is None) == (self.at_most is None):
            raise ValueError("give exactly one of `below` and `at_most`")
        return self

    @property
    def bounds(self) -> dict[str, float]:
        """What no value may cross, by pydantic's names."""
        named = {"gt": self.above, "ge": self.at_least, "lt": self.below, "le": self.at_most}
        return {name: bound for name, bound in named.items() if bound is not None}


class LearningRate(BaseModel):
    """The peak rate for a LoRA, which is 10–100 times that of full fine-tuning (`source` says of which)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    default: float
    published: tuple[float, float]
    """From 10 times the lowest published rate of full fine-tuning, or the lowest LoRA example, to 100 times the highest
    or the highest example. Values outside are run, with a notice."""
    source: str


class Balance(BaseModel):
    """Two knobs that weigh desirable against undesirable rows: weight × rows of one kind to that of the other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    desirable: str
    undesirable: str
    published: tuple[float, float]
    """The range of the ratio found in `source`; ratios outside are run, with a notice."""
    source: str

    def weights(self, labels: Mapping[bool, int]) -> dict[str, float]:
        """The weights these rows ask for, the smaller one 1: nothing where equal weights are in the range.

        The ratio becomes the middle of the range, so that it stays inside when a few rows turn out too long.
        """
        low, high = self.published
        ratio, middle = labels[True] / labels[False], (low + high) / 2
        if low <= ratio <= high:
            return {}
        weight = float(f"{max(middle / ratio, ratio / middle):.3g}")
        return {self.desirable if ratio < low else self.undesirable: weight}


class Method(BaseModel):
    """A preference-optimisation method: what the engine minimises, stated as its paper states it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    paper: str
    data: DataForm
    reference: bool
    objective: str
    """The loss with `{knob}` placeholders; π is the policy, w the preferred and l the dispreferred answer."""
    remark: str | None = None
    """What a reader of results should know beside the objective, such as where the engine departs from the paper."""
    first_loss: float | str | None
    """The loss while the adapter changes nothing: a number or a formula of knobs. None: it depends on the data."""
    learning_rate: LearningRate
    knobs: dict[str, Knob]
    balance: Balance | None = None
    """How labelled rows are weighed; None: the method has no labels, or no weights."""
    forward_rows: int = 1
    """Rows that a forward pass needs at least, for a loss that compares the rows of one."""
    continues: bool = True
    """Whether a run can go on from a checkpoint as if it had never stopped: all its state is in there."""
    engine: dict[str, str | int | float | list[str]]
    """ms-swift flag → literal, or a formula of knobs."""

    @model_validator(mode="after")
    def _formulas_are_of_its_knobs(self) -> Self:
        for place, value in {"objective": self.objective, "first_loss": self.first_loss, **self.engine}.items():
            if unknown := unknown_names(value, self.knobs):
                raise ValueError(f"{place}: {', '.join(unknown)} is no knob of {self.method}")
        return self

    def filled_objective(self, settings: dict[str, Any]) -> str:
        """The objective with this point's numbers."""
        return self.objective.format(**{knob: f"{settings[knob]:g}" for knob in self.knobs})

    def engine_flags(self, settings: dict[str, Any]) -> dict[str, Any]:
        """ms-swift's flags for these knobs."""
        return {flag: evaluated(value, self._values(settings)) for flag, value in self.engine.items()}

    def expected_first_loss(self, settings: dict[str, Any]) -> float | None:
        """What the first optimiser step must report, because the adapter still changes nothing."""
        loss = evaluated(self.first_loss, self._values(settings))
        return None if loss is None else float(loss)

    def _values(self, settings: dict[str, Any]) -> dict[str, float]:
        return {knob: float(settings[knob]) for knob in self.knobs}


def load_method(path: Path) -> Method:
    """One method file. Raises ValueError that names the file when it is wrong."""
    try:
        method = Method.model_validate(load_yaml(path).value)
    except ValidationError as error:
        raise ValueError(f"{path}: {error}") from error
    if method.method != path.stem:
        raise ValueError(f"{path}: the file describes {method.method!r}; name it {method.method}.yaml")
    return method


@cache
def load_methods(directory: Path) -> dict[str, Method]:
    """Every method file of a directory, by name. Raises ValueError that names the file that is wrong."""
    methods = {path.stem: load_method(path) for path in sorted(directory.glob("*.yaml"))}
    if not methods:
        raise ValueError(f"{directory} holds no method files")
    return methods
