"""What a study can set about training, generation and scoring: names, bounds, defaults, and what each one means."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from prefsweep.task_settings import Tasks, TaskSettings

Precision = Literal["float32", "bfloat16"]
Scheduler = Literal["cosine", "linear", "constant"]
Attention = Literal["sdpa", "eager"]
Sharding = Literal["zero1", "zero2", "zero3"]
"""Stages of ZeRO: the optimiser's states, also gradients, also weights."""

ENGINE = "engine"
"""The key of `train`, of a method and of a point's settings: further arguments of ms-swift, as one value."""
JOBS_PER_GPU = "jobs_per_gpu"
"""The one key of `train` that is not swept and in no point: it changes when runs are done, not what they are."""
PAIRED = "paired"
"""The key of `train` or a method that is no setting but holds settings whose values go together."""
NOT_SWEPT = frozenset({ENGINE, JOBS_PER_GPU, PAIRED})
"""Keys of `train` or a method that have no values to sweep."""
METHOD = "method"
"""The key of an excluded point that is no setting."""


def kind(value: Any) -> str:
    """In which of its forms a key is given that names something or has its contents in place."""
    return "<list>" if isinstance(value, list) else "<contents>" if isinstance(value, dict) else "<name>"


Name = Annotated[str, Tag("<name>")]
Contents = Annotated[dict[str, Any], Tag("<contents>")]
Named = Annotated[Name | Contents, Discriminator(kind)]


class Strict(BaseModel):
    """Unknown keys and numbers that are not finite are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class TrainSettings(Strict):
    """What every method is trained with, resolved to one value each."""

    learning_rate: float = Field(
        1e-4,
        strict=True,
        gt=0,
        le=1,
        description="Peak rate; unset: the method's own for a LoRA, which is 10–100× that of full fine-tuning.",
    )
    lora_rank: int = Field(8, strict=True, ge=1, le=1024, description="Of the matrices that are trained.")
    lora_alpha: int = Field(
        32, strict=True, ge=1, le=4096, description="The adapter's output is scaled by it over the rank."
    )
    lora_dropout: float = Field(0.05, strict=True, ge=0, lt=1, description="Of the adapter's input, while training.")
    epochs: int = Field(1, strict=True, ge=1, le=1000, description="Passes over the training rows.")
    batch_size: int = Field(
        16, strict=True, ge=1, le=65536, description="Pairs per optimiser step; KTO takes twice as many rows."
    )
    micro_batch_size: int | None = Field(
        None, strict=True, ge=1, description="Pairs per forward pass; the batch divided by it is accumulated."
    )
    max_length: int = Field(2048, strict=True, ge=16, le=1 << 20, description="Tokens of prompt and answer.")
    warmup_ratio: float = Field(
        0.05, strict=True, ge=0, lt=1, description="Share of the steps in which the rate rises to its peak."
    )
    scheduler: Scheduler = Field("cosine", description="How the rate goes down from its peak.")
    weight_decay: float = Field(0.1, strict=True, ge=0, le=1, description="AdamW's.")
    max_grad_norm: float = Field(1.0, strict=True, gt=0, description="Longer gradients are shortened to this norm.")
    precision: Precision = Field("bfloat16", description="Of the base weights while training.")
    attention: Attention = Field("sdpa", description="PyTorch's fused attention, or the plain formula.")
    gradient_checkpointing: bool = Field(False, strict=True, description="Less memory for about 30 % more time.")
    gpus: int = Field(
        1, strict=True, ge=1, le=64, description="GPUs that train one run, each a part of every batch; CPU processes."
    )
    deepspeed: Sharding | None = Field(
        None, description="What a run's GPUs divide besides the batch; zero3: the weights too."
    )
    logging_steps: int = Field(1, strict=True, ge=1, description="Losses are recorded every so many steps.")
    eval_steps: int | None = Field(None, strict=True, ge=1, description="Held-out loss every so many steps.")
    save_steps: int | None = Field(None, strict=True, ge=1, description="A checkpoint every so many steps.")
    keep_checkpoints: int = Field(2, strict=True, ge=1, description="The latest ones, while a run trains.")


class ServiceLevel(Strict):
    """What a request keeps to when it counts as good (goodput); what is not given is not asked. Read by the report."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    ttft_seconds: float | None = Field(None, strict=True, gt=0, description="Request sent to first token, at most.")
    tpot_seconds: float | None = Field(None, strict=True, gt=0, description="Per later token of the request, at most.")
    e2e_seconds: float | None = Field(None, strict=True, gt=0, description="Request sent to last token, at most.")

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.limits:
            raise ValueError("give at least one of ttft_seconds, tpot_seconds and e2e_seconds, or leave slo out")
        return self

    @property
    def limits(self) -> dict[str, float]:
        """Latency → its limit in seconds, of those that are given."""
        given = {"ttft": self.ttft_seconds, "tpot": self.tpot_seconds, "e2e": self.e2e_seconds}
        return {latency: limit for latency, limit in given.items() if limit is not None}


class Price(Strict):
    """What serving costs, for the money that a thousand answers take. Read by the report alone."""

    per_hour: float = Field(strict=True, gt=0, description="Of one device: a GPU, or on the CPU the machine.")
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="Three letters (ISO 4217).")


class GenerateConfig(Strict):
    """How every arm answers the held-out prompts and how it is timed."""

    max_tokens: int = Field(128, strict=True, ge=1, le=1 << 17, description="Where an answer is cut off.")
    temperature: float = Field(0.0, strict=True, ge=0, le=5, description="0: the likeliest token each time.")
    precision: Precision = Field("bfloat16", description="Of the served weights and activations.")
    concurrency: list[Annotated[int, Field(strict=True, ge=1, le=4096)]] = Field(
        [1, 8], min_length=1, description="Requests at a time, for each of which speed is measured."
    )
    repeats: int = Field(3, strict=True, ge=1, le=100, description="Timed passes at each concurrency.")
    timed_tokens: int = Field(64, strict=True, ge=2, description="Forced length of every timed answer.")
    timed_requests: int = Field(
        8, strict=True, ge=1, description="Requests of one timed pass; no fewer than go at a time."
    )
    tensor_parallel: int = Field(
        1, strict=True, ge=1, le=64, description="GPUs that serve a model together, where one is too small for it."
    )
    gpu_memory_utilization: float = Field(
        0.9, strict=True, gt=0, le=1, description="Share of a GPU's memory the server takes for weights and cache."
    )
    enforce_eager: bool = Field(
        False, strict=True, description="No CUDA graphs: starts sooner, decodes slower. The CPU always does so."
    )
    slo: ServiceLevel | None = Field(
        None, description="Limits that a good request keeps to; another one re-runs the report alone."
    )


class TokenPrice(Strict):
    """What an endpoint charges, per million tokens."""

    input: float = Field(strict=True, ge=0, description="Per million tokens of requests.")
    output: float = Field(strict=True, ge=0, description="Per million tokens of answers.")
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$", description="Three letters (ISO 4217).")

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """What these tokens cost."""
        return (self.input * input_tokens + self.output * output_tokens) / 1e6


_OF_AN_ENDPOINT = ("model", "api_key_env", "price", "max_cost")
"""Keys of a judge that mean nothing where the study serves it."""


class JudgeConfig(Strict):
    """Who compares every arm's answers with the base's, and what may be spent on it (docs/judge.md)."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["url", "model"]}, {"required": ["serve"]}]})

    url: str | None = Field(
        None,
        pattern=r"^https?://[^@\s]+$",
        description="An OpenAI-compatible API, up to and with its /v1; without a user or key in it.",
    )
    model: str | None = Field(None, min_length=1, description="Of `url`: by the name the API knows.")
    api_key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Of `url`: the environment variable with the key; unset: no key.",
    )
    serve: Named | None = Field(None, description="In place of `url`: a model to serve here, like the study's `model`.")
    precision: Precision | None = Field(None, description="Of `serve`: of the served weights; unset: bfloat16.")
    template: str = Field("pairwise", min_length=1, description="A file in config/judges/, or the path of one.")
    verdicts: Literal["json_schema", "text"] = Field(
        "json_schema", description="Asked for as JSON by a schema; text: as a last line, of any endpoint."
    )
    temperature: float = Field(0.0, strict=True, ge=0, le=2, description="0: the likeliest verdict each time.")
    max_tokens: int = Field(512, strict=True, ge=1, le=1 << 15, description="Where the judge's answer is cut off.")
    rivals: Literal["none", "recommended", "all"] = Field(
        "none",
        description="Whether the methods' best points meet, too: each the recommended one, or all each other.",
    )
    prompts: int | None = Field(
        None, strict=True, ge=2, description="At most so many prompts of each half; unset: all held-out ones."
    )
    concurrency: int = Field(8, strict=True, ge=1, le=512, description="Requests at a time.")
    retries: int = Field(
        3, strict=True, ge=0, le=20, description="After a failed request, and after an answer without a verdict."
    )
    timeout_seconds: float = Field(120.0, strict=True, gt=0, description="Until a request has failed.")
    max_requests: int | None = Field(None, strict=True, ge=1, description="Never more, in all calls together.")
    max_cost: float | None = Field(
        None, strict=True, gt=0, description="Of `url`: never more, in the price's currency."
    )
    price: TokenPrice | None = Field(None, description="Of `url`: what tokens cost; unset: only they are counted.")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if self.url is None and self.serve is None:
            what = "who judges is missing; give `url:` and `model:` of an endpoint, or `serve:`, a model to serve here"
            raise PydanticCustomError("no_judge", what)
        if self.url is not None and self.serve is not None:
            raise PydanticCustomError("two_judges", "`url:` and `serve:` are two judges; remove one of them")
        if self.url is not None and self.model is None:
            raise PydanticCustomError("no_model", "`model:` is missing; give the name by which the endpoint knows it")
        judge, others = ("url", ("precision",)) if self.url is not None else ("serve", _OF_AN_ENDPOINT)
        if strange := [name for name in others if getattr(self, name) is not None]:
            what = "`{keys}:` does not go with `{judge}:`; remove it"
            raise PydanticCustomError("other_judge", what, {"keys": ":`, `".join(strange), "judge": judge})
        return self

    @model_validator(mode="after")
    def _cost_needs_a_price(self) -> Self:
        if self.max_cost is not None and self.price is None:
            raise PydanticCustomError("no_price", "max_cost needs a `price:` to count by; add one, or remove it")
        return self


class RewardModelConfig(Strict):
    """Which model scores every arm's answers, one by one (docs/reward.md)."""

    path: str = Field(min_length=1, description="The folder of a sequence classifier with one label.")
    precision: Precision = Field("bfloat16", description="Of its served weights; its scores depend on it.")


class EvaluateConfig(Strict):
    """What is scored through the arm's own server, and by whom answers are compared or scored."""

    tasks: Tasks = Field(
        [
            TaskSettings(name="preference-accuracy"),
            TaskSettings(name="held-out-perplexity"),
            TaskSettings(name="general-perplexity"),
            TaskSettings(name="reasoning-choices"),
            TaskSettings(name="reasoning-answers"),
        ],
        description="Files in config/tasks/ or lm-eval's tasks, by name or with settings (docs/tax.md).",
    )
    judge: JudgeConfig | None = Field(None, description="Compares answers with the base's (docs/judge.md).")
    kl_from_base: bool = Field(
        True, strict=True, description="How far each answer is from the base, token by token (docs/drift.md)."
    )
    reward_model: RewardModelConfig | None = Field(None, description="Scores each answer (docs/reward.md).")
