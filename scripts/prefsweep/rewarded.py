"""What a reward model left of one run, joined to the scores where they are read.

A reward model that cannot be served costs a run nothing but its rewards.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prefsweep.failures import Failure
from prefsweep.files import sha256_of
from prefsweep.metric_kinds.reward_model import REWARD_MODEL
from prefsweep.plan import Plan
from prefsweep.records.reward import RewardRecord
from prefsweep.score_table import ScoreTable


@dataclass(frozen=True)
class Rewarded:
    """A run's scores by the reward model; none where scoring failed or has not begun."""

    record: RewardRecord | None = None
    failure: Failure | None = None

    @classmethod
    def read(cls, folder: Path, plan: Plan, failure: Failure | None) -> "Rewarded":
        """What counts in this study of what a run's folder holds: scores of its present answers by the plan's model.

        What cannot be read is missing, as notices say.
        """
        if plan.reward_model is None:
            return cls()
        try:
            record = RewardRecord.read(folder / "reward.json")
            answers = sha256_of(folder / "generations.jsonl")
        except (OSError, ValueError):
            return cls(failure=failure)
        counts = record.asked == plan.reward_model.asked and record.generations_sha256 == answers
        return cls(record, failure) if counts else cls(failure=failure)


def with_reward_model(scores: ScoreTable, rewarded: Rewarded) -> ScoreTable:
    """The scores of a run with what the reward model gave each answer that it could read."""
    if rewarded.record is None:
        return scores
    found = {answer.prompt: REWARD_MODEL.values(answer) for answer in rewarded.record.answers}
    rows = [found.get(prompt, {}) for prompt in scores.prompts]
    added = {name: np.array([row.get(name, np.nan) for row in rows]) for name in REWARD_MODEL.entries}
    return scores.with_metrics(added)
