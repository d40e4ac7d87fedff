"""From a study to its points: combinations of its values, each with an identity that content decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefsweep.engine_arguments import passed_on
from prefsweep.files import sha256_of_json
from prefsweep.methods import Method
from prefsweep.plan import BASE, Point
from prefsweep.search import as_search
from prefsweep.settings import TrainSettings
from prefsweep.space import Values, space_of
from prefsweep.study import StudyConfig

_SHORT_NAMES = {"learning_rate": "lr", "lora_rank": "r", "lora_alpha": "lora α", "batch_size": "batch"}


@dataclass(frozen=True)
class Inputs:
    """What every run of a study shares; part of each point's identity."""

    model: str
    template: str
    data_revision: str
    device: str


def expand(
    config: StudyConfig, methods: dict[str, Method], inputs: Inputs, labels: Mapping[bool, int] | None = None
) -> list[Point]:
    """`base` and the points of every method, in the study's order.

    `labels` are the rows of each kind: weights that the study leaves open follow from them.

    A point's id is `<method>-<8 hex>` of its resolved settings and `inputs`, so that a new swept key or a new label
    leaves the points whose settings are unchanged where they are.
    """
    grids = {name: _points(config, methods[name], labels) for name in _study_order(config)}
    varying = _varying_train_keys(grids)
    points = [_base(inputs)]
    for name, grid in grids.items():
        for settings in grid:
            label = _label(methods[name], settings, varying)
            objective = methods[name].filled_objective(settings)
            point_id = f"{name}-{_identity(name, settings, inputs)}"
            points.append(Point(id=point_id, method=name, label=label, settings=settings, objective=objective))
    return points


def _base(inputs: Inputs) -> Point:
    objective = "none: the model as it was found"
    return Point(id=f"{BASE}-{_identity(BASE, {}, inputs)}", method=BASE, label=BASE, settings={}, objective=objective)


def _study_order(config: StudyConfig) -> list[str]:
    return [name for name in type(config.methods).model_fields if name in config.methods.model_fields_set]


def _points(config: StudyConfig, method: Method, labels: Mapping[bool, int] | None) -> list[Values]:
    section = getattr(config.methods, method.method)
    weights = method.balance.weights(labels) if method.balance and labels else {}
    space = space_of(method, config.train, section, config.exclude, weights)
    further = passed_on(config.train, section)
    return [values | further for values in space.points(as_search(config.search))]


def _identity(method: str, settings: dict[str, Any], inputs: Inputs) -> str:
    return sha256_of_json([method, settings, inputs.__dict__])[:8]


def _varying_train_keys(grids: dict[str, list[dict[str, Any]]]) -> list[str]:
    everything = [settings for grid in grids.values() for settings in grid]
    return [key for key in TrainSettings.model_fields if len({settings[key] for settings in everything}) > 1]


def _label(method: Method, settings: dict[str, Any], varying: list[str]) -> str:
    knobs = [f"{spec.symbol}={settings[knob]:g}" for knob, spec in method.knobs.items()]
    shared = [f"{_SHORT_NAMES.get(key, key)}={_shown(settings[key])}" for key in varying]
    return " ".join([method.method, *knobs, *shared])


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
