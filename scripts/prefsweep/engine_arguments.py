"""Further arguments of ms-swift that a study passes on as they are, under `engine:` of `train` or of a method.

Their names and types are those of the pinned version (config/engine/arguments.json, which scripts/swift_arguments.py
writes), so that a misspelt one is refused before anything is spent. What has a name of its own in the study, decides
the objective or is prefsweep's to decide (config/engine/reserved.yaml) is refused with what to do instead.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema, create_model
from pydantic_core import PydanticCustomError

from prefsweep.methods import Method
from prefsweep.plan import Point
from prefsweep.settings import ENGINE, Strict
from prefsweep.tracking import known_integrations
from prefsweep.yaml_file import load_yaml

_REFUSED = "refused_argument"
"""The type of the error for an argument that is not passed on. Its value, which may be a secret, is in no message."""

_FILES = Path(__file__).resolve().parents[2] / "config" / "engine"
_TYPES: dict[str, Any] = {
    "boolean": Annotated[bool, Field(strict=True)],
    "integer": Annotated[int, Field(strict=True)],
    "number": Annotated[float, Field(strict=True, allow_inf_nan=False)],
    "text": str,
    "mapping": dict[str, Any],
}
_UNUSED = "remove it; no LoRA that a method here trains makes use of it"


class _Argument(Strict):
    type: Literal["boolean", "integer", "number", "text", "mapping"]
    many: bool = False
    choices: list[str] | None = None

    @property
    def annotation(self) -> Any:
        one = Literal[tuple(self.choices)] if self.choices else _TYPES[self.type]
        return Annotated[list[one], BeforeValidator(_as_list)] if self.many else one  # type: ignore[valid-type]


class _Engine(BaseModel):
    """The pinned ms-swift's arguments, as config/engine/arguments.json has them."""

    ms_swift: str
    arguments: dict[str, _Argument]
    unused: list[str]


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def engine_model(methods: Mapping[str, Method]) -> type[Strict]:
    """The model of an `engine:` section: one optional field for each argument; those that are refused say why."""
    engine, _ = _files()
    refused = _refused(methods)
    fields: dict[str, Any] = {
        name: (argument.annotation | None, Field(None)) for name, argument in engine.arguments.items()
    }
    report_to = engine.arguments["report_to"].annotation | None
    fields |= {"report_to": (Annotated[report_to, AfterValidator(known_integrations)], Field(None))}
    # Left out of what a file may have, these say why all the same.
    fields |= {name: (_refusal(name, why), Field(None, exclude=True)) for name, why in refused.items()}
    return create_model("Engine", __base__=Strict, **fields)


def _refused(methods: Mapping[str, Method]) -> dict[str, str]:
    """Names of arguments that are not passed on, each with what to do instead."""
    engine, reserved = _files()
    deciding: dict[str, list[str]] = {}
    for name, method in methods.items():
        for flag in method.engine:
            deciding.setdefault(flag, []).append(name)
    by_method = {flag: f"choose a method that sets it: {', '.join(names)}" for flag, names in deciding.items()}
    return dict.fromkeys(engine.unused, _UNUSED) | reserved | by_method


def _refusal(name: str, remedy: str) -> Any:
    def refuse(_: Any) -> Any:
        raise PydanticCustomError(_REFUSED, "{name} is not passed on; {remedy}", {"name": name, "remedy": remedy})

    schema = {"not": {}, "description": f"Not passed on: {remedy}."}
    return Annotated[Any, BeforeValidator(refuse), WithJsonSchema(schema)]


@cache
def _files() -> tuple[_Engine, dict[str, str]]:
    engine = _Engine.model_validate(json.loads((_FILES / "arguments.json").read_text(encoding="utf-8")))
    return engine, load_yaml(_FILES / "reserved.yaml").value


def passed_on(*sections: BaseModel) -> dict[str, dict[str, Any]]:
    """`{"engine": …}` of a point: the arguments of `train`, then those of a method, which take precedence.

    Nothing at all where none are given, so that points are what they were before there were any.
    """
    given: dict[str, Any] = {}
    for section in sections:
        arguments = getattr(section, ENGINE)
        given |= arguments.model_dump(exclude_none=True) if arguments else {}
    return {ENGINE: given} if given else {}


def own_arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments a point passes on, for the settings file."""
    arguments: dict[str, Any] = settings.get(ENGINE, {})
    return arguments


def engine_notices(points: list[Point]) -> list[str]:
    """What a reader should know of arguments that were passed on: those that are not the same for all methods."""
    given = {point.method: json.dumps(own_arguments(point.settings), sort_keys=True) for point in points}
    if len(set(given.values())) < 2:
        return []
    listed = "; ".join(f"{method} {arguments}" for method, arguments in given.items())
    return [f"Methods differ in more than their objective, in what they pass on to ms-swift: {listed}."]
