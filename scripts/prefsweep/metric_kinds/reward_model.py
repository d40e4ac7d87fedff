"""What a reward model gives an answer. Joined to the scores where they are read."""

from prefsweep.metric import Kind
from prefsweep.records.reward import RewardedAnswer

REWARD_MODEL = Kind[RewardedAnswer, float](needs_reward_model=True)


@REWARD_MODEL.metric("points", "higher", "the reward model's output before any activation; docs/reward.md")
def reward_model_score(answer: RewardedAnswer) -> float | None:
    """What the study's reward model gives the answer. Points are that model's own: never compare two models' scores."""
    return answer.score
