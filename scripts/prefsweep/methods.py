"""The method catalogue: `config/methods/*.yaml` as typed values, and the one translation to engine flags."""

from collections.abc import Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

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
    at_most: float
    published: tuple[float, float] | None = None
    """The range found in `source`; values outside are run, with a notice. None: only together with another knob."""
    source: str

    @model_validator(mode="after")
    def _one_lower_bound(self) -> Self:
        if (self.above is None) == (self.at_least is None):
            raise ValueError("give exactly one of `above` and `at_least`")
        return self


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
    """A preference-optimisation method as its paper defines it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    title: str
    paper: str
    data: DataForm
    reference: bool
    objective: str
    """The loss with `{knob}` placeholders; π is the policy, w the preferred and l the dispreferred answer."""
    first_loss: float | None
    """The loss of an untrained adapter with unit weights, where theory gives it."""
    knobs: dict[str, Knob]
    balance: Balance | None = None
    """How labelled rows are weighed; None: the method has no labels, or no weights."""
    engine: dict[str, str | int | float]
    """ms-swift flag → literal, or a product of `{knob}` placeholders."""

    def filled_objective(self, settings: dict[str, Any]) -> str:
        """The objective with this point's numbers."""
        return self.objective.format(**{knob: f"{settings[knob]:g}" for knob in self.knobs})

    def engine_flags(self, settings: dict[str, Any]) -> dict[str, str | int | float]:
        """ms-swift's flags for these knobs. `{a} * {b}` multiplies two knobs; anything else is passed as it is."""
        return {flag: _evaluated(value, settings) for flag, value in self.engine.items()}

    def expected_first_loss(self, settings: dict[str, Any]) -> float | None:
        """What the first optimiser step must report, because the adapter still changes nothing.

        KTO's loss is half the weight of each row; with as many desirable as undesirable rows in a batch unknown,
        it is known only for equal weights.
        """
        if self.first_loss is None or self.data == "pairs":
            return self.first_loss
        desirable, undesirable = settings["desirable_weight"], settings["undesirable_weight"]
        return self.first_loss * float(desirable) if desirable == undesirable else None


def _evaluated(value: str | int | float, settings: dict[str, Any]) -> str | int | float:
    if not isinstance(value, str) or "{" not in value:
        return value
    knobs = [factor.strip().removeprefix("{").removesuffix("}") for factor in value.split("*")]
    return prod(float(settings[knob]) for knob in knobs)


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
