"""What `reward` hands on: a reward model's score of each answer of one run."""

from prefsweep.records.base import Record


class RewardedAnswer(Record):
    """One conversation, as the reward model read it."""

    prompt: str
    """HeldOutPrompt.id"""
    tokens: int
    """Of prompt and answer in the reward model's own rendering."""
    score: float | None
    """The model's output before any activation, on its own scale; None where the conversation is longer than it reads.
    """


class RewardedRun(Record):
    """Scores of one run's answers. Kept by a hash of all that was scored, for whichever run has these answers."""

    answers: list[RewardedAnswer]
    """In the order of `heldout.jsonl`, showcase prompts included."""
    chosen: list[RewardedAnswer]
    """Of the base's run, the held-out data's preferred answers; empty for others."""
    rejected: list[RewardedAnswer]
    """The dispreferred answers to the same prompts, in the same order."""
    server_argv: list[str]
    server_environment: dict[str, str]
    ready_seconds: float
    """Until the server answered. It may have scored other runs, too."""
    scoring_seconds: float
    versions: dict[str, str]


class RewardRecord(RewardedRun):
    """`reward.json`: a run's answers in the eyes of the study's reward model."""

    run: str
    asked: str
    """A hash of all that decides a score but the conversation: the model's files and the precision."""
    generations_sha256: str
    """Of the answers that were scored."""
