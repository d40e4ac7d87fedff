"""The study file: typed, strict, and the one source of `config/study.schema.json`.

A list under a method or under `train` is swept, a scalar is fixed; a key under a method overrides the same key
under `train` for that method. Unknown keys are errors at every level.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, Discriminator, Field, Tag, ValidationError, create_model

from prefsweep.contradictions import contradictions
from prefsweep.engine_arguments import engine_model
from prefsweep.methods import Knob, Method
from prefsweep.search import Search, as_search
from prefsweep.settings import (
    ENGINE,
    JOBS_PER_GPU,
    METHOD,
    PAIRED,
    Contents,
    EvaluateConfig,
    GenerateConfig,
    Name,
    Named,
    Price,
    Strict,
    TrainSettings,
    kind,
)
from prefsweep.study_problems import StudyError, described, problem
from prefsweep.swept import distinct, distinct_values, swept
from prefsweep.yaml_file import load_yaml, reread

_Search = Annotated[
    Annotated[Literal["grid"], Tag("<name>")] | Annotated[Search, Tag("<settings>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<settings>"),
]


_List = Annotated[list[Named], Field(min_length=1), Tag("<list>")]
_OneOrSeveral = Annotated[Name | Contents | _List, Discriminator(kind)]


class StudyConfig(Strict):
    """Which methods are compared, on which model and data, judged by what.

    Several models or data sets are as many studies, each with a comparison of its own: what is better on one of them
    need not be on another.
    """

    study: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="Names the folder below results/.")
    model: _OneOrSeveral = Field(description="A name in config/models/, or its contents in place; or a list of them.")
    dataset: _OneOrSeveral = Field(
        description="A name in config/datasets/, or its contents in place; or a list of them."
    )
    seeds: Annotated[list[Annotated[int, Field(strict=True, ge=0, lt=1 << 31)]], distinct_values] = Field(
        [0], min_length=1, description="Each sets training seed, data order and generation seed."
    )
    primary_metric: str = Field("preference_accuracy", description="Declared before anything runs.")
    smallest_effect: float = Field(
        0.0, strict=True, ge=0, description="Smallest worthwhile difference, in the primary metric's unit."
    )
    wants: Annotated[list[str], distinct_values] = Field(
        [],
        description="Metrics of answers that the data is to change; the report sets others apart.",
    )
    methods: BaseModel
    train: BaseModel
    search: _Search = Field("grid", description="grid: every combination, to its end.")
    exclude: list[Any] = Field([], description="Points to leave out: those that have all of an entry's values.")
    generate: GenerateConfig = GenerateConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    cost: Price | None = Field(None, description="What a device costs; another price re-runs the report alone.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: cuda where a GPU answers, else cpu.")
    max_runs: int = Field(500, strict=True, ge=1, description="A larger study is refused until this is raised.")


def study_model(methods: dict[str, Method]) -> type[StudyConfig]:
    """The study file's model for a catalogue of methods: its knobs and bounds come from `config/methods/`."""
    train_values = _train_scalars()
    train_fields = _swept_fields(train_values)
    passed_on = Field(None, description="Further arguments of ms-swift, passed on as they are (docs/engines.md).")
    engine: Any = engine_model(methods)
    train_fields |= {ENGINE: (engine | None, passed_on)}
    sections: dict[str, Any] = {}
    for name, method in methods.items():
        values = {knob: _knob_scalar(spec) for knob, spec in method.knobs.items()}
        fields = _swept_fields(values) | train_fields | _paired_field(f"Paired_{name}", values | train_values)
        section = create_model(method.title, __base__=Strict, **fields)
        described = f"{method.title} ({method.paper})"
        sections[name] = (Annotated[section, BeforeValidator(_or_empty)], Field(None, description=described))
    chosen = create_model("Methods", __base__=Strict, **sections)
    alone = Field(1, strict=True, ge=1, le=64, description="Trainings that may share a GPU; timed answers never do.")
    train_fields |= {JOBS_PER_GPU: (int, alone)} | _paired_field("Paired", train_values)
    train = create_model("Train", __base__=Strict, **train_fields)
    excluded: Any = list[_excluded_model(methods, train_values)]  # type: ignore[misc]
    return create_model(
        "Study",
        __base__=StudyConfig,
        methods=(chosen, Field(description="At least one. A key here overrides the same key under `train`.")),
        train=(train, Field(default_factory=train)),
        exclude=(excluded, StudyConfig.model_fields["exclude"]),
    )


_Scalar = tuple[Any, dict[str, Any]]
"""The type of one value, with its bounds, and its JSON schema."""


def _train_scalars() -> dict[str, _Scalar]:
    properties = TrainSettings.model_json_schema()["properties"]
    scalars = {}
    for name, field in TrainSettings.model_fields.items():
        schema = {key: value for key, value in properties[name].items() if key != "title"}
        constrained = (field.annotation, Field(), *field.metadata)
        scalars[name] = (Annotated[constrained], schema)
    return scalars


def _knob_scalar(knob: Knob) -> _Scalar:
    about = {"description": f"{knob.meaning} ({knob.source})", "default": knob.default}
    names = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
    schema = {"type": "number"} | {names[bound]: value for bound, value in knob.bounds.items()}
    bounds: dict[str, Any] = dict(knob.bounds)
    return Annotated[float, Field(strict=True, allow_inf_nan=False, **bounds)], schema | about


def _swept_fields(scalars: dict[str, _Scalar]) -> dict[str, Any]:
    return {
        name: (swept(scalar, schema, ranged=get_args(scalar)[0] in (int, float)), _UNSET)
        for name, (scalar, schema) in scalars.items()
    }


def _paired_field(title: str, scalars: dict[str, _Scalar]) -> dict[str, Any]:
    values: dict[str, Any] = {name: (scalar, _UNSET) for name, (scalar, _) in scalars.items()}
    item = create_model(title, __base__=Strict, **values)
    described = "Keys whose values go together: one entry for each combination, all with the same keys."
    return {PAIRED: (distinct(item), Field(default_factory=list, description=described))}


def _excluded_model(methods: dict[str, Method], train: dict[str, _Scalar]) -> Any:
    knobs = {knob for method in methods.values() for knob in method.knobs}
    number = Annotated[float, Field(strict=True)]
    values: dict[str, Any] = dict.fromkeys(sorted(knobs), (number, _UNSET))
    values |= {name: (scalar, _UNSET) for name, (scalar, _) in train.items()}
    values |= {METHOD: (Literal[tuple(methods)], _UNSET)}
    return create_model("Excluded", __base__=Strict, **values)


_UNSET = Field(default_factory=lambda: None)
"""For keys of which only those that were written count: a factory, so that no editor shows its value as a default."""


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


def load_study(path: Path, overrides: dict[str, Any], methods: dict[str, Method]) -> StudyConfig:
    """Read and check a study file; `overrides` are top-level keys given on the command line.

    Raises StudyError with every problem found, each with file, line, key, and what would be right.
    """
    document = load_yaml(path)
    overrides = reread(overrides, Path("command line"))
    model = study_model(methods)
    try:
        config = model.model_validate(document.value | overrides)
    except ValidationError as error:
        raise StudyError(described(error, document, overrides, model)) from None
    chosen = {name: section for name, section in config.methods if name in config.methods.model_fields_set}
    found = contradictions(methods, chosen, config.train, as_search(config.search), config.exclude)
    if found:
        raise StudyError([problem(document, overrides, *contradiction) for contradiction in found])
    return config
