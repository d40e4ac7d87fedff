"""What the stages hand to each other: typed records with units in their names, one JSON file each.

Every record is frozen and refuses unknown keys, so a file that reads back is a file this version wrote.
Non-finite numbers become `null` on the way out: a record is always strict JSON.
"""

import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from prefsweep.files import sha256_of, write_text

Half = Literal["development", "test"]
Part = Literal["heldout", "showcase"]


class Record(BaseModel):
    """A value that is written once and read by later stages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def write(self, path: Path) -> None:
        """Write the record as strict JSON, atomically."""
        write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record back. Raises ValueError that names the file when it is not one of ours."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            raise ValueError(f"{path} is not a {cls.__name__} this version of prefsweep wrote: {error}") from error


class FileHash(Record):
    """A file below a directory, by content."""

    name: str
    bytes: int
    sha256: str


def hashed_files(directory: Path, skip: frozenset[str] = frozenset()) -> list[FileHash]:
    """Every file below `directory`, sorted by name, except in folders called one of `skip`."""
    return [
        FileHash(name=str(path.relative_to(directory)), bytes=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not skip.intersection(path.relative_to(directory).parts)
    ]


class Pair(Record):
    """A preference pair: the same prompt, a preferred and a dispreferred answer.

    `id` is a hash of the content; `cluster` groups pairs that share a prompt, the unit of splitting and resampling.
    """

    id: str
    cluster: str
    messages: list[dict[str, str]]
    """The prompt: chat turns with `role` and `content`, the last one a user's."""
    chosen: str
    rejected: str


class LabelledRow(Record):
    """An answer judged on its own, the form KTO trains on."""

    id: str
    cluster: str
    messages: list[dict[str, str]]
    answer: str
    desirable: bool


class HeldOutPrompt(Record):
    """A prompt no method trains on. Showcase prompts are shown side by side and never scored against a reference."""

    id: str
    cluster: str
    part: Part
    half: Half | None
    """Hyperparameters are chosen on `development`, results reported on `test`; None for showcase prompts."""
    messages: list[dict[str, str]]
    chosen: str | None
    rejected: str | None


class TrainStep(Record):
    """One optimiser step as the engine logged it; None where the method does not define the quantity."""

    step: int
    epoch: float
    loss: float | None
    """The engine's own loss, before any filter; None where it was not finite."""
    grad_norm: float | None
    learning_rate: float
    reward_margin: float | None
    reward_accuracy: float | None
    chosen_reward: float | None
    rejected_reward: float | None
    chosen_log_prob: float | None
    """Summed over the response for DPO, CPO, KTO; mean per token for SimPO, ORPO, as each method defines it."""
    rejected_log_prob: float | None
    kl: float | None
    seconds: float


class TrainRecord(Record):
    """`train.json`: the manifest of one adapter."""

    run: str
    argv: list[str]
    adapter: list[FileHash]
    adapter_norm: float
    """Frobenius norm of all LoRA B matrices; 0 would mean that nothing was learnt."""
    trainable_parameters: int
    rows: int
    expected_rows: int
    steps: int
    expected_steps: int
    sequences: int
    """Sequences that went through the policy: two per pair, one per labelled row."""
    tokens: int | None
    expected_first_loss: float | None
    """What theory gives for the untrained adapter (DPO: ln 2; KTO: half the weight); None: depends on the data."""
    history: list[TrainStep]
    train_seconds: float
    """The optimisation loop alone."""
    total_seconds: float
    """The whole process, with imports and model loading."""
    peak_memory_bytes: int
    """Resident set on CPU, allocator peak on CUDA."""
    memory_kind: Literal["resident", "cuda_allocated"]
    versions: dict[str, str]


class Probe(Record):
    """What the merged model says of a held-out conversation with the preferred answer.

    A server proves with it that it serves this very model, and lm-eval that it scores these very answers.
    """

    prompt: str
    """HeldOutPrompt.id"""
    token_ids: list[int]
    answer_tokens: int
    """How many of them, at the end, lm-eval counts to the answer; white space that ends the prompt is among them."""
    log_prob: float
    """Summed log-probability of `token_ids[1:]`, natural logarithm."""
    answer_log_prob: float
    """Summed log-probability of the answer given the prompt."""


class RenderedPrompt(Record):
    """A held-out prompt as the trainer's template turns it into tokens; a server must see the same ones."""

    prompt: str
    """HeldOutPrompt.id"""
    token_ids: list[int]


class MergeRecord(Record):
    """`merge.json`: the manifest of one merged model and the proof that it equals base + adapter."""

    run: str
    argv: list[str]
    model: list[FileHash]
    parity_max_abs_logit_difference: float | None
    """max |merged − (base + adapter)| over the probes' logits in float32; None for the base arm."""
    parity_bound: float
    change_max_abs_logit_difference: float | None
    """max |merged − base|: zero would mean that the merge lost the adapter; None for the base arm."""
    probes: list[Probe]
    rendered: list[RenderedPrompt] = []
    eos_token_ids: list[int]
    pad_token_id: int | None
    chat_template_sha256: str
    total_seconds: float
    peak_memory_bytes: int
    versions: dict[str, str]


class Generation(Record):
    """One answer at its natural length: a row of `generations.jsonl`."""

    prompt: str
    """HeldOutPrompt.id"""
    part: Part
    answer: str
    finish_reason: str
    prompt_tokens: int
    output_tokens: int
    seconds: float


class Percentiles(Record):
    """Of a latency, in seconds."""

    mean_seconds: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float


class TimedPass(Record):
    """One pass of equal-length requests at one concurrency, after warm-up.

    Definitions are those of `vllm bench serve`: TTFT, request sent to first token; TPOT, (end-to-end − TTFT) /
    (output tokens − 1) per request; ITL, the gaps between successive chunks; E2E, request sent to last token.
    """

    concurrency: int
    repeat: int
    requests: int
    output_tokens: int
    wall_seconds: float
    ttft: Percentiles
    tpot: Percentiles
    itl: Percentiles
    e2e: Percentiles

    @property
    def output_tokens_per_second(self) -> float:
        return self.output_tokens / self.wall_seconds


class Throughput(Record):
    """`throughput.json`: the fixed-length timing of one arm and what is needed to distrust it."""

    run: str
    passes: list[TimedPass]
    output_tokens_per_request: int
    warm_up_requests: int
    prefix_caching: bool
    server_argv: list[str]
    server_environment: dict[str, str]
    ready_seconds: float
    natural_wall_seconds: float
    natural_output_tokens: int
    natural_concurrency: int
    total_seconds: float
    peak_memory_bytes: int
    """Resident memory of the server's process group on CPU; on CUDA the device memory it held."""
    versions: dict[str, str]


class PairScore(Record):
    """Log-probabilities of a held-out pair's answers under one model, as lm-eval measured them."""

    prompt: str
    """HeldOutPrompt.id"""
    chosen_log_prob: float
    rejected_log_prob: float
    chosen_characters: int
    rejected_characters: int


class Evaluation(Record):
    """`evaluation.json`: lm-eval's results through the arm's own server."""

    run: str
    pairs: list[PairScore]
    tasks: dict[str, dict[str, float]]
    """Task name → metric → value, exactly as lm-eval reports them."""
    task_versions: dict[str, str]
    total_seconds: float
    versions: dict[str, str]


class PromptScores(Record):
    """Every metric of one prompt; a metric that does not apply is absent, never zero."""

    prompt: str
    cluster: str
    part: Part
    half: Half | None
    metrics: dict[str, float]


class Scores(Record):
    """`scores.json`: every per-prompt metric of one run."""

    run: str
    prompts: list[PromptScores]


FailureClass = Literal[
    "config", "data", "model", "oom", "nan", "no_effect", "timeout", "killed", "disk", "network",
    "server_crash", "wrong_model", "score", "internal",
]  # fmt: skip


class Failure(Record):
    """`failure-<stage>.json`: why a run stopped; it is removed when the stage is tried again."""

    run: str
    stage: str
    failure: FailureClass
    message: str
    remedy: str
    last_lines: list[str]


def read_document(path: Path) -> Any:
    """A JSON file as plain values."""
    return json.loads(path.read_text(encoding="utf-8"))
