"""What `measure` hands on: answers, timings, and lm-eval's results, all from one server."""

from pydantic import Field

from prefsweep.records.base import Record
from prefsweep.records.data import Part


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
    client_seconds: float
    """Wall time of the same requests to an endpoint that answers at once: at most so much of a pass is the client's."""
    other_cpu_share: float | None
    """Of the time of all cores during the pass, what neither the server nor the client took; None where unknown."""
    ttft: Percentiles
    tpot: Percentiles
    itl: Percentiles
    e2e: Percentiles
    request_ttft_seconds: list[float]
    request_e2e_seconds: list[float]
    """Each request's, in the order sent: other questions than the percentiles can be asked without timing again."""

    @property
    def output_tokens_per_second(self) -> float:
        return self.output_tokens / self.wall_seconds

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.wall_seconds

    @property
    def request_tpot_seconds(self) -> list[float]:
        """Each request's: all have the same number of output tokens."""
        later_tokens = self.output_tokens / self.requests - 1
        ends = zip(self.request_ttft_seconds, self.request_e2e_seconds, strict=True)
        return [(e2e - ttft) / later_tokens for ttft, e2e in ends]


class Throughput(Record):
    """`throughput.json`: the fixed-length timing of one arm and what is needed to distrust it."""

    run: str
    passes: list[TimedPass]
    output_tokens_per_request: int
    warm_up_requests: int
    prefix_caching: bool
    server_argv: list[str]
    server_environment: dict[str, str]
    hardware: dict[str, str]
    weights_swapped: bool = False
    """The server had measured another run before, and this one's weights took the place of that one's."""
    ready_seconds: float
    """Until the server served this run: its start, or the swap."""
    natural_wall_seconds: float | None
    """None where `resumed_at_answers` has any: fewer requests than the concurrency says were under way then."""
    natural_answers: int
    natural_cut_answers: int
    """Those that ended at the limit of tokens."""
    natural_output_tokens: int
    natural_concurrency: int
    resumed_at_answers: list[int] = Field([])
    """How many answers were there each time that a job went on for one that was stopped."""
    total_seconds: float
    peak_memory_bytes: int
    """Resident memory of the server's process group. A GPU's is what `--gpu-memory-utilization` lets it take."""
    versions: dict[str, str]

    @property
    def resumed_at(self) -> str | None:
        """`resumed_at_answers` as text; None if the generation was never stopped."""
        return ", ".join(map(str, self.resumed_at_answers)) or None


class PairScore(Record):
    """Log-probabilities of a held-out pair's answers under one model, as lm-eval measured them."""

    prompt: str
    """HeldOutPrompt.id"""
    chosen_log_prob: float
    rejected_log_prob: float
    chosen_characters: int
    rejected_characters: int


class TaskConditions(Record):
    """How an lm-eval task was run."""

    limit: int | None
    """Only the first so many documents, of a group's tasks each; None: all."""
    num_fewshot: int | None
    """Solved examples before each document; None where a group's tasks differ."""
    apply_chat_template: bool
    """Documents were put as chats, by the model's template."""


class TaskDocuments(Record):
    """What one lm-eval task, or all tasks of a group, found for each document, in the task's order."""

    conditions: TaskConditions
    heldout: bool
    """The documents are the study's own held-out rows: what training was for, not what it may have cost."""
    ids: list[str]
    """A document's place in its task; of a group, behind the task's name."""
    contents: list[str]
    """The first digits of each document's SHA-256: arms are paired on the same content only."""
    values: dict[str, list[float | None]]
    """Metric → a value per document, None where lm-eval gave no number. A perplexity is there as bits per unit of its
    document, because the mean of these is what pairing needs."""
    higher_is_better: dict[str, bool]
    """As far as lm-eval says so."""


class Evaluation(Record):
    """`evaluation.json`: lm-eval's results through the arm's own server."""

    run: str
    pairs: list[PairScore]
    tasks: dict[str, dict[str, float]]
    """Task name → metric → value, exactly as lm-eval reports them."""
    documents: dict[str, TaskDocuments]
    """Task or group → its documents."""
    task_versions: dict[str, str]
    total_seconds: float
    versions: dict[str, str]
