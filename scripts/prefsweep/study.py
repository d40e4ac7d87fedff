"""The study file: typed, strict, and the one source of `config/study.schema.json`.

A list under a method or under `train` is swept, a scalar is fixed; a key under a method overrides the same key
under `train` for that method. Unknown keys are errors at every level.
"""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)

from prefsweep.engine_arguments import ENGINE, REFUSED, engine_model, passable
from prefsweep.methods import Knob, Method
from prefsweep.search import Search
from prefsweep.settings import EvaluateConfig, GenerateConfig, Strict, TrainSettings
from prefsweep.yaml_file import Document, load_yaml


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _without_repeats(values: list[Any]) -> list[Any]:
    repeated = {value for value in values if values.count(value) > 1}
    if repeated:
        raise ValueError(f"lists {', '.join(map(str, sorted(repeated)))} more than once")
    return values


def _swept(scalar: Any, schema: dict[str, Any]) -> Any:
    """`scalar`, or a non-empty list of distinct ones; always a list once it is read."""
    return Annotated[
        list[scalar],
        Field(min_length=1),
        BeforeValidator(_as_list),
        AfterValidator(_without_repeats),
        WithJsonSchema({"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1, "uniqueItems": True}]}),
    ]


def _swept_train_fields() -> dict[str, Any]:
    properties = TrainSettings.model_json_schema()["properties"]
    fields = {}
    for name, field in TrainSettings.model_fields.items():
        schema = {key: value for key, value in properties[name].items() if key not in ("default", "title")}
        constrained = (field.annotation, Field(), *field.metadata)
        scalar = Annotated[constrained]  # type: ignore[valid-type]
        fields[name] = (_swept(scalar, schema) | None, Field(None, description=field.description))
    return fields


def _swept_knob(knob: Knob) -> Any:
    schema: dict[str, Any] = {"type": "number", "description": f"{knob.meaning} ({knob.source})"}
    names = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
    schema |= {names[bound]: value for bound, value in knob.bounds.items()}
    scalar = Annotated[float, Field(strict=True, allow_inf_nan=False, **knob.bounds)]
    return _swept(scalar, schema)


class StudyConfig(Strict):
    """One comparison: which methods, on which model and data, judged by what."""

    study: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="Names the folder below results/.")
    model: str | dict[str, Any] = Field(description="A name in config/models/, or its contents in place.")
    dataset: str | dict[str, Any] = Field(description="A name in config/datasets/, or its contents in place.")
    seeds: Annotated[list[Annotated[int, Field(strict=True, ge=0, lt=1 << 31)]], AfterValidator(_without_repeats)] = (
        Field([0], min_length=1, description="Each sets training seed, data order and generation seed.")
    )
    primary_metric: str = Field("preference_accuracy", description="Declared before anything runs.")
    smallest_effect: float = Field(
        0.0, strict=True, ge=0, description="Smallest worthwhile difference, in the primary metric's unit."
    )
    methods: BaseModel
    train: BaseModel
    search: Literal["grid"] | Search = Field("grid", description="grid: every combination, to its end.")
    generate: GenerateConfig = GenerateConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: cuda where a GPU answers, else cpu.")
    max_runs: int = Field(500, strict=True, ge=1, description="A larger study is refused until this is raised.")


JOBS_PER_GPU = "jobs_per_gpu"
"""The one key of `train` that is not swept and in no point: it changes when runs are done, not what they are."""


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def study_model(methods: dict[str, Method]) -> type[StudyConfig]:
    """The study file's model for a catalogue of methods: its knobs and bounds come from `config/methods/`."""
    passed_on = Field(None, description="Further arguments of ms-swift, passed on as they are (docs/engines.md).")
    engine = engine_model(methods)
    train_fields = _swept_train_fields() | {ENGINE: (engine | None, passed_on)}
    sections: dict[str, Any] = {}
    for name, method in methods.items():
        knobs: dict[str, Any] = {
            knob: (_swept_knob(spec) | None, Field(None, description=spec.meaning))
            for knob, spec in method.knobs.items()
        }
        section = create_model(method.title, __base__=Strict, **knobs, **train_fields)
        description = f"{method.title} ({method.paper})"
        sections[name] = (
            Annotated[section | None, BeforeValidator(_or_empty)],
            Field(None, description=description),
        )
    chosen = create_model("Methods", __base__=Strict, **sections)
    alone = Field(1, strict=True, ge=1, le=64, description="Trainings that may share a GPU; timed answers never do.")
    train_fields |= {JOBS_PER_GPU: (int, alone)}
    train = create_model("Train", __base__=Strict, **train_fields)
    return create_model(
        "Study",
        __base__=StudyConfig,
        methods=(chosen, Field(description="At least one. A key here overrides the same key under `train`.")),
        train=(train, Field(default_factory=train)),
    )


def load_study(path: Path, overrides: dict[str, Any], methods: dict[str, Method]) -> StudyConfig:
    """Read and check a study file; `overrides` are top-level keys given on the command line.

    Raises StudyError with every problem found, each with file, line, key, and what would be right.
    """
    document = load_yaml(path)
    values = document.value | overrides
    try:
        config = study_model(methods).model_validate(values)
    except ValidationError as error:
        raise StudyError(_problems(error, document, overrides, methods)) from None
    if not config.methods.model_fields_set:
        raise StudyError([f"{path}:{document.line_of(('methods',))}: methods is empty; choose from {_listed(methods)}"])
    return config


class StudyError(ValueError):
    """A study that cannot run; one line per problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _problems(
    error: ValidationError, document: Document, overrides: dict[str, Any], methods: dict[str, Method]
) -> list[str]:
    problems = []
    for detail in error.errors():
        location = detail["loc"]
        key = ".".join(str(part) for part in location)
        if location and location[0] in overrides:
            where = "command line"
        else:
            where = f"{document.path}:{document.line_of(location)}"
        problems.append(f"{where}: {key}: {_explained(detail, methods)}")
    return problems


def _explained(detail: Any, methods: dict[str, Method]) -> str:
    if detail["type"] == "missing":
        return "is missing; add it"
    if detail["type"] == REFUSED:
        return str(detail["msg"])
    if detail["type"] != "extra_forbidden":
        return f"{_lowered(detail['msg'])}; it is {detail['input']!r}"
    allowed = allowed_keys(detail["loc"][:-1], methods)
    close = get_close_matches(str(detail["loc"][-1]), allowed, n=1)
    hint = f"did you mean {close[0]!r}? Allowed" if close else "allowed"
    return f"unknown key; {hint} here: {_listed(allowed)}"


def allowed_keys(location: tuple[str | int, ...], methods: dict[str, Method]) -> list[str]:
    """The keys a study file may have at a place such as `("methods", "dpo")`."""
    train = list(TrainSettings.model_fields)
    match location:
        case ():
            return list(StudyConfig.model_fields)
        case ("methods",):
            return list(methods)
        case ("methods", name):
            return [*methods[str(name)].knobs, *train, ENGINE]
        case ("train",):
            return [*train, ENGINE, JOBS_PER_GPU]
        case ("train", "engine") | ("methods", _, "engine"):
            return passable(methods)
        case ("generate",):
            return list(GenerateConfig.model_fields)
        case _:
            return list(EvaluateConfig.model_fields)


def _lowered(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text[0].lower() + text[1:]


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:_SHOWN]
    return ", ".join(shown) + f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)


_SHOWN = 60
"""Names in a list that is there to be read; ms-swift's arguments are more."""
