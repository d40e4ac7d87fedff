"""What a model prefers more than the base does: the implicit reward that direct methods train.

An answer's reward is β · (log π(y|x) − log π_base(y|x)), up to a term of the prompt alone that cancels between the two
answers (Rafailov et al. 2023, arXiv 2305.18290, section 4). β is 1 here, so that methods and their β compare.
"""

from dataclasses import dataclass

import numpy as np

from prefsweep.metric import Kind
from prefsweep.statistics import Array


@dataclass(frozen=True)
class Rewards:
    """Of held-out pairs, shape (pairs,): log-probability under the model − under the base, in nats."""

    chosen: Array
    rejected: Array


REWARD = Kind[Rewards, Array](needs_pairs=True, against_base=True)


@REWARD.metric("share", "higher", "rewards/accuracies of DPO (arXiv 2305.18290), on held-out pairs", rate=True)
def reward_accuracy(rewards: Rewards) -> Array:
    """The chosen answer gained more than the rejected one against the base; a tie counts one half, as the base does
    with itself.
    """
    accuracy: Array = np.heaviside(rewards.chosen - rewards.rejected, 0.5)
    return accuracy


@REWARD.metric("nats", "higher", "rewards/margins of DPO (arXiv 2305.18290) at β = 1, on held-out pairs")
def reward_margin(rewards: Rewards) -> Array:
    """What the chosen answer gained against the base − what the rejected one did: `preference_margin` − the base's."""
    return rewards.chosen - rewards.rejected
