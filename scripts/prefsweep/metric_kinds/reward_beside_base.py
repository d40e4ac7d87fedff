"""Whether a reward model gives an answer more than the base's, which needs no scale."""

from dataclasses import dataclass

import numpy as np

from prefsweep.metric import Kind
from prefsweep.statistics import Array


@dataclass(frozen=True)
class ScoresBesideBase:
    """A run's scores and the base's of the same prompts, shape (prompts,), in the reward model's points."""

    own: Array
    base: Array


REWARD_BESIDE_BASE = Kind[ScoresBesideBase, Array](needs_reward_model=True, against_base=True)


@REWARD_BESIDE_BASE.metric("share", "higher", "share of higher scores + equal ones / 2; docs/reward.md", rate=True)
def reward_model_win_rate(scores: ScoresBesideBase) -> Array:
    """The reward model gives the answer more than the base's to the same prompt; equal scores are one half."""
    rate: Array = np.heaviside(scores.own - scores.base, 0.5)
    return rate
