"""How far a model is from the base on its own answers. Joined to the scores where they are read.

The divergence is computed, not estimated. Its usual estimators, k1 = log π(x)/π_base(x) and k3 (Schulman 2020,
http://joschu.net/blog/kl-approx.html), are means over tokens x drawn from π: over the likeliest token, which greedy
decoding writes, they converge to something else.
"""

from prefsweep.metric import Kind
from prefsweep.records.drift import AnswerDrift

DRIFT = Kind[AnswerDrift, float](against_base=True)


@DRIFT.metric("nats per token", "neutral", "KL(point ‖ base) over the whole vocabulary, mean over the answer's tokens")
def kl_from_base(answer: AnswerDrift) -> float | None:
    """How far the next-token distribution is from the base's along the model's own answer."""
    return answer.kl_nats / answer.positions if answer.positions else None


@DRIFT.metric("nats", "neutral", "the same, summed over the answer's tokens")
def kl_from_base_per_answer(answer: AnswerDrift) -> float | None:
    """The same for the whole answer: longer answers have more of it."""
    return answer.kl_nats if answer.positions else None


@DRIFT.metric("nats per token", "neutral", "log π(y) − log π_base(y), mean over the answer's tokens")
def answer_log_ratio(answer: AnswerDrift) -> float | None:
    """How much likelier than the base the model finds its own answer; of greedy answers no estimate of the KL."""
    return answer.log_ratio_nats / answer.positions if answer.positions else None
