"""The study file: typed, strict, and the one source of `config/study.schema.json`.

A list under a method or under `train` is swept, a scalar is fixed; a key under a method overrides the same key
under `train` for that method. Unknown keys are errors at every level.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    create_model,
)

from prefsweep.methods import Knob, Method
from prefsweep.yaml_file import Document, load_yaml

Precision = Literal["float32", "bfloat16"]
Scheduler = Literal["cosine", "linear", "constant"]
Attention = Literal["sdpa", "eager"]
Sharding = Literal["zero1", "zero2", "zero3"]
"""Stages of ZeRO: the optimiser's states, also gradients, also weights."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TrainSettings(_Strict):
    """What every method is trained with, resolved to one value each."""

    learning_rate: float = Field(
        1e-4,
        strict=True,
        gt=0,
        le=1,
        description="Peak rate; a LoRA needs 10–100× the full fine-tuning rate.",
    )
    lora_rank: int = Field(8, strict=True, ge=1, le=1024)
    lora_alpha: int = Field(32, strict=True, ge=1, le=4096)
    lora_dropout: float = Field(0.05, strict=True, ge=0, lt=1)
    epochs: int = Field(1, strict=True, ge=1, le=1000)
    batch_size: int = Field(
        16, strict=True, ge=1, le=65536, description="Pairs per optimiser step; KTO takes twice as many rows."
    )
    micro_batch_size: int | None = Field(
        None, strict=True, ge=1, description="Pairs per forward pass; the batch divided by it is accumulated."
    )
    max_length: int = Field(2048, strict=True, ge=16, le=1 << 20, description="Tokens of prompt and answer.")
    warmup_ratio: float = Field(0.05, strict=True, ge=0, lt=1)
    scheduler: Scheduler = "cosine"
    weight_decay: float = Field(0.1, strict=True, ge=0, le=1)
    max_grad_norm: float = Field(1.0, strict=True, gt=0)
    precision: Precision = Field("bfloat16", description="Of the base weights while training.")
    attention: Attention = Field("sdpa", description="PyTorch's fused attention, or the plain formula.")
    gradient_checkpointing: bool = Field(False, strict=True, description="Less memory for about 30 % more time.")
    gpus: int = Field(
        1, strict=True, ge=1, le=64, description="GPUs that train one run, each a part of every batch; CPU processes."
    )
    deepspeed: Sharding | None = Field(
        None, description="What a run's GPUs divide besides the batch; zero3: the weights too."
    )
    logging_steps: int = Field(1, strict=True, ge=1)
    eval_steps: int | None = Field(None, strict=True, ge=1, description="Held-out loss every so many steps.")
    save_steps: int | None = Field(None, strict=True, ge=1, description="A checkpoint every so many steps.")
    keep_checkpoints: int = Field(2, strict=True, ge=1)


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
    bounds = {"gt": knob.above, "ge": knob.at_least, "le": knob.at_most}
    names = {"gt": "exclusiveMinimum", "ge": "minimum", "le": "maximum"}
    schema |= {names[bound]: value for bound, value in bounds.items() if value is not None}
    scalar = Annotated[float, Field(strict=True, allow_inf_nan=False, **bounds)]
    return _swept(scalar, schema)


class GenerateConfig(_Strict):
    """How every arm answers the held-out prompts and how it is timed."""

    max_tokens: int = Field(128, strict=True, ge=1, le=1 << 17)
    temperature: float = Field(0.0, strict=True, ge=0, le=5)
    precision: Precision = Field("bfloat16", description="Of the served weights and activations.")
    concurrency: list[Annotated[int, Field(strict=True, ge=1, le=4096)]] = Field([1, 8], min_length=1)
    repeats: int = Field(3, strict=True, ge=1, le=100, description="Timed passes at each concurrency.")
    timed_tokens: int = Field(64, strict=True, ge=2, description="Forced length of every timed answer.")
    timed_requests: int = Field(8, strict=True, ge=1, description="Requests of one timed pass.")
    tensor_parallel: int = Field(
        1, strict=True, ge=1, le=64, description="GPUs that serve a model together, where one is too small for it."
    )
    gpu_memory_utilization: float = Field(
        0.9, strict=True, gt=0, le=1, description="Share of a GPU's memory the server takes for weights and cache."
    )
    enforce_eager: bool = Field(
        False, strict=True, description="No CUDA graphs: starts sooner, decodes slower. The CPU always does so."
    )


class EvaluateConfig(_Strict):
    """What is scored through the arm's own server."""

    tasks: list[str] = Field(["preference-accuracy", "held-out-perplexity"], description="Files in config/tasks/.")
    judge: None = None


class StudyConfig(_Strict):
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
    search: Literal["grid"] = "grid"
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
    train_fields = _swept_train_fields()
    sections: dict[str, Any] = {}
    for name, method in methods.items():
        knobs: dict[str, Any] = {
            knob: (_swept_knob(spec) | None, Field(None, description=spec.meaning))
            for knob, spec in method.knobs.items()
        }
        section = create_model(method.title, __base__=_Strict, **knobs, **train_fields)
        description = f"{method.title} ({method.paper})"
        sections[name] = (
            Annotated[section | None, BeforeValidator(_or_empty)],
            Field(None, description=description),
        )
    chosen = create_model("Methods", __base__=_Strict, **sections)
    alone = Field(1, strict=True, ge=1, le=64, description="Trainings that may share a GPU; timed answers never do.")
    train_fields |= {JOBS_PER_GPU: (int, alone)}
    train = create_model("Train", __base__=_Strict, **train_fields)
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
            return [*methods[str(name)].knobs, *train]
        case ("train",):
            return [*train, JOBS_PER_GPU]
        case ("generate",):
            return list(GenerateConfig.model_fields)
        case _:
            return list(EvaluateConfig.model_fields)


def _lowered(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text[0].lower() + text[1:]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
