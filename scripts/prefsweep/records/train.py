"""What `train` hands on: the manifest of an adapter and the history of its fit."""

from collections import Counter
from pathlib import Path

from pydantic import Field

from prefsweep.memory import MemoryKind
from prefsweep.records.base import FileHash, Record


class TrainStep(Record):
    """One optimiser step as the engine logged it; None where the method does not define the quantity."""

    step: int
    epoch: float
    loss: float | None
    """The engine's own loss, before any filter; None where it was not finite."""
    grad_norm: float | None
    learning_rate: float
    """Of this very step."""
    reward_margin: float | None
    reward_accuracy: float | None
    chosen_reward: float | None
    rejected_reward: float | None
    chosen_log_prob: float | None
    """Summed over the response for DPO, CPO, KTO; mean per token for SimPO, ORPO, as each method defines it."""
    rejected_log_prob: float | None
    kl: float | None
    seconds: float


class Fit(Record):
    """What the engine left behind of one run, as its first process tells the job that started it, or a checkpoint."""

    checkpoint: Path
    rows: int
    row_counts: dict[str, int]
    """Id of a row → how often it was trained on."""
    steps: int
    sequences: int
    """Of all GPUs together, as are `tokens`."""
    tokens: int | None
    history: list[TrainStep]
    seconds: float
    trainable_parameters: int
    adapter_norm: float
    peak_memory_bytes: int
    """Of the GPU, or on the CPU the process, that took most."""
    memory_kind: MemoryKind

    def after(self, earlier: "Fit | None") -> "Fit":
        """The whole run, of which this is what came after `earlier`."""
        if earlier is None:
            return self
        counts = Counter(earlier.row_counts) + Counter(self.row_counts)
        return self.model_copy(
            update={
                "row_counts": dict(counts),
                "sequences": earlier.sequences + self.sequences,
                "tokens": (earlier.tokens or 0) + (self.tokens or 0) or None,
                "history": [*earlier.history, *self.history],
                "seconds": earlier.seconds + self.seconds,
                "peak_memory_bytes": max(earlier.peak_memory_bytes, self.peak_memory_bytes),
            }
        )


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
    row_ids_sha256: str
    """Of the sorted ids of the rows that really were trained on: the same for all methods with one form of data."""
    steps: int
    expected_steps: int
    sequences: int
    """Sequences that went through the policy: two per pair, one per labelled row."""
    tokens: int | None
    threads: int | None = None
    """That the trainer computed with: another number may round differently."""
    expected_first_loss: float | None
    """What theory gives for the untrained adapter (DPO: ln 2; KTO: half the weight); None: depends on the data."""
    history: list[TrainStep]
    continued_from_step: int = 0
    """What came before was trained by the run's earlier rungs; times and all other figures here are of the whole."""
    resumed_at_steps: list[int] = Field([])
    """Where a training that was stopped went on from a checkpoint. Steps made twice count once, here and in times."""
    checkpoint: list[FileHash] = Field([])
    """From which a run that ends at a rung can be continued, bit for bit."""
    train_seconds: float
    """The optimisation loop alone."""
    total_seconds: float
    """The whole process, with imports and model loading."""
    peak_memory_bytes: int
    """Resident set on CPU, allocator peak on CUDA; of several GPUs, the fullest one's."""
    memory_kind: MemoryKind
    versions: dict[str, str]

    @property
    def resumed_at(self) -> str | None:
        """`resumed_at_steps` as text; None if the training was never stopped."""
        return ", ".join(map(str, self.resumed_at_steps)) or None

    @property
    def kl_zero_share(self) -> float | None:
        """Share of the logged steps, after the first, whose KL estimate is exactly 0; None where there is none."""
        estimates = [step.kl for step in self.history[1:] if step.kl is not None]
        return sum(kl == 0 for kl in estimates) / len(estimates) if estimates else None
