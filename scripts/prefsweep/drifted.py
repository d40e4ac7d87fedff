"""How far a run's answers were found to be from the base, and the metrics that this gives each prompt.

Joined to the scores where they are read, as a judge's verdicts are: a run whose drift cannot be computed lacks nothing
else.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prefsweep.failures import Failure
from prefsweep.files import sha256_of
from prefsweep.metric_kinds.drift import DRIFT
from prefsweep.plan import BASE, Plan
from prefsweep.records.drift import AnswerDrift, DriftRecord
from prefsweep.score_table import ScoreTable


@dataclass(frozen=True)
class Drifted:
    """A run's answers; none where their drift was not computed, or of other answers than the run has now."""

    record: DriftRecord | None = None
    answers: tuple[AnswerDrift, ...] = ()
    failure: Failure | None = None

    @classmethod
    def read(cls, folder: Path, plan: Plan, failure: Failure | None) -> "Drifted":
        """What counts in this study of what a run's folder holds; what cannot be read is missing, as notices say."""
        if not plan.kl_from_base:
            return cls()
        try:
            record = DriftRecord.read(folder / "drift.json")
            answers = tuple(AnswerDrift.read_rows(folder / "drift.jsonl"))
            current = record.generations_sha256 == sha256_of(folder / "generations.jsonl")
        except (OSError, ValueError):
            return cls(failure=failure)
        return cls(record, answers, failure) if current else cls(failure=failure)


def with_drift(scores: ScoreTable, plan: Plan, drifted: Drifted) -> ScoreTable:
    """A run's scores with the metrics of `DRIFT` of the prompts that have them; the base is 0 from itself."""
    if not plan.kl_from_base:
        return scores
    if plan.point_of(scores.run).method == BASE:
        return scores.with_metrics({name: np.zeros(len(scores.prompts)) for name in DRIFT.entries})
    found = {answer.prompt: DRIFT.values(answer) for answer in drifted.answers}
    if not found:
        return scores
    rows = [found.get(prompt, {}) for prompt in scores.prompts]
    return scores.with_metrics({name: np.array([row.get(name, np.nan) for row in rows]) for name in DRIFT.entries})
