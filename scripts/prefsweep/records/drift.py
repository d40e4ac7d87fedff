"""What `drift` hands on: how far a run's model is from the base on each of its own answers, and what that took."""

from prefsweep.records.base import Record


class AnswerDrift(Record):
    """A row of `drift.jsonl`: one answer, at each of whose tokens both models' next-token distributions were compared.

    An answer that ended by itself has one position more than tokens, that of its end.
    """

    prompt: str
    """HeldOutPrompt.id"""
    positions: int
    kl_nats: float
    """KL(run ‖ base) over the whole vocabulary, summed over the positions."""
    log_ratio_nats: float
    """Log-probability of the answer under the run's model − under the base."""


class DriftRecord(Record):
    """`drift.json`: of which answers the drift is, and at what cost."""

    run: str
    opponent: str
    """The base's run that was compared with."""
    generations_sha256: str
    """Of the `generations.jsonl` that was read."""
    answers: int
    recoded_answers: int
    """Those whose text has another number of tokens than were generated: other tokens can make the same text."""
    ready_seconds: float
    """Until both models were loaded."""
    total_seconds: float
    peak_memory_bytes: int
    versions: dict[str, str]
