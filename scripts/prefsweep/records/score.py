"""What `score` hands on: every metric of every prompt."""

from prefsweep.records.base import Record
from prefsweep.records.data import Half, Part


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
