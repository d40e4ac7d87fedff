"""What each method's paper gives for answers of known log-probabilities: w preferred, d dispreferred.

Written from the papers, with the engine's stated departures (IPO by tokens, likelihoods by the tokens of a forward
pass), and never from the engine.
"""

from collections.abc import Callable
from math import exp, log
from statistics import fmean

from tests.e2e.method_losses import KL_ANSWER, Answer

ONE_PAIR = {
    "dpo": 0.598139,
    "simpo": 0.126928,
    "cpo": 2.513015,
    "orpo": 2.018143,
    "kto": (0.480011 + 0.470036) / 2,
}
"""Losses of the first pair, worked out by hand from the papers: β 0.1 (SimPO 2, γ 1), α 1, λ 0.1, KL 0.2."""


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def logistic(x: float) -> float:
    """−log σ(x)."""
    return log(1 + exp(-x))


Pairs = list[tuple[Answer, Answer]]
Loss = Callable[[Answer, Answer], float]


def gap(w: Answer, d: Answer) -> float:
    """log π(w)/π_ref(w) − log π(d)/π_ref(d)."""
    return w.ratio - d.ratio


def nll(pairs: Pairs) -> float:
    """Mean over all tokens of the preferred answers."""
    return -sum(w.total for w, _ in pairs) / sum(w.tokens for w, _ in pairs)


def log_odds(answer: Answer) -> float:
    return answer.mean - log(1 - exp(answer.mean))


def smoothed(x: float, share: float) -> float:
    return (1 - share) * logistic(x) + share * logistic(-x)


def mean_of(loss: Loss) -> Callable[[Pairs], float]:
    return lambda pairs: fmean(loss(w, d) for w, d in pairs)


def with_nll(loss: Loss, weight: float) -> Callable[[Pairs], float]:
    return lambda pairs: fmean(loss(w, d) for w, d in pairs) + weight * nll(pairs)


def bco(pairs: Pairs, beta: float) -> float:
    shift = beta * fmean(answer.ratio for pair in pairs for answer in pair)
    return fmean(logistic(beta * w.ratio - shift) + logistic(shift - beta * d.ratio) for w, d in pairs)


def exo(x: float, share: float) -> float:
    return sigmoid(x) * log(sigmoid(x) / (1 - share)) + sigmoid(-x) * log(sigmoid(-x) / share)


def discopop(x: float, tau: float) -> float:
    return (1 - sigmoid(x / tau)) * logistic(x) + sigmoid(x / tau) * exp(-x)


def sorted_difference(pairs: Pairs, beta: float) -> float:
    policy = sorted(w.total - d.total for w, d in pairs)
    reference = sorted((w.total - w.ratio) - (d.total - d.ratio) for w, d in pairs)
    return fmean(logistic(beta * (a - b)) for a, b in zip(policy, reference, strict=True))


def sorted_apart(pairs: Pairs, beta: float) -> float:
    preferred, other = sorted(w.ratio for w, _ in pairs), sorted(d.ratio for _, d in pairs)
    return fmean(logistic(beta * (a - b)) for a, b in zip(preferred, other, strict=True))


KL = KL_ANSWER.ratio
LOSSES: dict[str, tuple[dict[str, float], Callable[[Pairs], float]]] = {
    "dpo": ({"beta": 0.1}, mean_of(lambda w, d: logistic(0.1 * gap(w, d)))),
    "cpo": ({"beta": 0.1, "alpha": 1.0}, with_nll(lambda w, d: logistic(0.1 * (w.total - d.total)), 1.0)),
    "simpo": ({"beta": 2.0, "gamma_beta_ratio": 0.5}, mean_of(lambda w, d: logistic(2 * (w.mean - d.mean) - 1))),
    "orpo": ({"lambda": 0.1}, with_nll(lambda w, d: 0.1 * logistic(log_odds(w) - log_odds(d)), 1.0)),
    "kto": (
        {"beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.0},
        mean_of(lambda w, d: (1 - sigmoid(0.1 * (w.ratio - KL)) + 1 - sigmoid(0.1 * (KL - d.ratio))) / 2),
    ),
    "ipo": (
        {"beta": 0.2},
        mean_of(lambda w, d: (w.ratio / w.tokens - d.ratio / d.tokens - 1 / (2 * 0.2)) ** 2),
    ),
    "hinge": ({"beta": 0.3}, mean_of(lambda w, d: max(0, 1 - 0.3 * gap(w, d)))),
    "slic": ({"beta": 0.2, "alpha": 0.7}, with_nll(lambda w, d: max(0, 1 - 0.2 * (w.total - d.total)), 0.7)),
    "cdpo": ({"beta": 0.3, "label_smoothing": 0.2}, mean_of(lambda w, d: smoothed(0.3 * gap(w, d), 0.2))),
    "robust_dpo": (
        {"beta": 0.3, "label_smoothing": 0.2},
        mean_of(lambda w, d: (0.8 * logistic(0.3 * gap(w, d)) - 0.2 * logistic(-0.3 * gap(w, d))) / 0.6),
    ),
    "rpo": ({"beta": 0.3, "alpha": 0.5}, with_nll(lambda w, d: logistic(0.3 * gap(w, d)), 0.5)),
    "exo_pair": ({"beta": 0.3, "label_smoothing": 0.01}, mean_of(lambda w, d: exo(0.3 * gap(w, d), 0.01))),
    "nca_pair": (
        {"beta": 0.3},
        mean_of(lambda w, d: logistic(0.3 * w.ratio) + (logistic(-0.3 * w.ratio) + logistic(-0.3 * d.ratio)) / 2),
    ),
    "bco_pair": ({"beta": 0.3}, lambda pairs: bco(pairs, 0.3)),
    "sppo_hard": ({"beta": 0.1}, mean_of(lambda w, d: (w.ratio - 5) ** 2 + (d.ratio + 5) ** 2)),
    "aot": ({"beta": 0.3}, lambda pairs: sorted_difference(pairs, 0.3)),
    "aot_unpaired": ({"beta": 0.3}, lambda pairs: sorted_apart(pairs, 0.3)),
    "apo_zero": ({"beta": 0.3}, mean_of(lambda w, d: 1 - sigmoid(0.3 * w.ratio) + sigmoid(0.3 * d.ratio))),
    "apo_down": ({"beta": 0.3}, mean_of(lambda w, d: sigmoid(0.3 * w.ratio) + 1 - sigmoid(0.3 * gap(w, d)))),
    "discopop": ({"beta": 0.3, "tau": 0.5}, mean_of(lambda w, d: discopop(0.3 * gap(w, d), 0.5))),
    "mpo": (
        {"beta": 0.3, "preference_weight": 0.7, "quality_weight": 0.4, "generation_weight": 0.5},
        lambda pairs: (
            0.7 * fmean(logistic(0.3 * gap(*pair)) for pair in pairs) + 0.4 * bco(pairs, 0.3) + 0.5 * nll(pairs)
        ),
    ),
    "cpo_simpo": (
        {"beta": 2.0, "gamma_beta_ratio": 0.4, "alpha": 0.5},
        with_nll(lambda w, d: logistic(2 * (w.mean - d.mean) - 0.8), 0.5),
    ),
    "apo_zero_unpaired": (
        {"beta": 0.3, "desirable_weight": 1.2, "undesirable_weight": 1.2},
        mean_of(lambda w, d: 1.2 * (1 - sigmoid(0.3 * w.ratio) + sigmoid(0.3 * d.ratio)) / 2),
    ),
}
"""Method → knobs, and the loss that its paper gives for pairs with them."""
