"""The win rate that is left when answers are equally long: judges like length, and so do methods that learn from them.

A minimal form of length control, fitted to a study's own prompts: it is not AlpacaEval's, whose instructions have fixed
difficulties (arXiv 2404.04475), and numbers of the two cannot be compared.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from prefsweep.metrics import METRICS
from prefsweep.pairing import HalfPrompts
from prefsweep.records.base import Record
from prefsweep.score_table import ScoreTable
from prefsweep.statistics import ALPHA, DRAWS, Array, crossed_bootstrap, crossed_draws

_PRIOR_PRECISION = 1 / 2.5**2
"""Of both coefficients, which are normal around 0 with SD 2.5 (logistic units; Gelman et al. 2008 have 2.5, too): it
keeps them finite where every prompt was won, and moves the fit of a hundred mixed prompts by less than 0.5 pp."""
_LENGTH = "characters"
"""The metric of an answer's length."""
_STEPS, _LONGEST_STEP, _CLOSE = 100, 2.0, 1e-6
_AT_A_TIME = 64
"""Draws whose arrays fit in a processor's cache together."""


class LengthControlled(Record):
    """P(win) at equal length, from logit P = θ + φ · tanh(Δ / sd), Δ being the arm's length less the opponent's."""

    win_rate: float
    low: float
    high: float
    """Bounds of the two-sided 95 % interval."""
    length_effect: float
    """φ: above 0, longer answers won more often."""


def at_equal_length(
    outcomes: Array, arms: Sequence[ScoreTable], opponents: Sequence[ScoreTable], prompts: HalfPrompts
) -> LengthControlled | None:
    """Of the prompts that have an outcome and both lengths in every seed; None where fewer than two clusters have.

    `outcomes`, shape (seeds, prompts), is NaN where there is none; seed by seed, `arms` and `opponents` are the scores
    of the runs that were compared.
    """
    length = [METRICS[_LENGTH]]
    sides = [np.array([prompts.table(scores, length)[0] for scores in side]) for side in (arms, opponents)]
    lengths = sides[0] - sides[1]
    keep = np.isfinite(outcomes).all(axis=0) & np.isfinite(lengths).all(axis=0)
    clusters = prompts.clusters[keep]
    if not outcomes.size or np.unique(clusters).size < 2:
        return None
    return length_controlled(outcomes[:, keep], lengths[:, keep], clusters)


def length_controlled(
    outcomes: npt.ArrayLike, length_differences: npt.ArrayLike, clusters: npt.ArrayLike, draws: int = DRAWS
) -> LengthControlled:
    """Fit outcomes (1 win, ½ tie, 0 loss) and length differences, both of shape (seeds, prompts).

    The whole fit is repeated for each draw of the crossed bootstrap (see `statistics`). The spread of θ over the draws
    makes an interval in logits, with the win rate's quantile. Raises ValueError as `crossed_bootstrap` does.
    """
    y, lengths = np.asarray(outcomes, dtype=float), np.asarray(length_differences, dtype=float)
    quantile = crossed_bootstrap(y, clusters, draws).quantile(1 - ALPHA / 2)
    spread = float(lengths.std())
    x = np.tanh(lengths / spread) if spread > 0 else np.zeros_like(lengths)
    _, members = np.unique(np.asarray(clusters), return_inverse=True)
    whole = _fit(np.ones((1, y.size)), x.ravel(), y.ravel(), np.zeros((1, 2)))
    error = math.sqrt(_variance(whole, x, y, members, draws))
    theta, half_width = float(whole[0, 0]), quantile * error
    low, middle, high = (float(expit(theta + shift)) for shift in (-half_width, 0.0, half_width))
    return LengthControlled(win_rate=middle, low=low, high=high, length_effect=float(whole[0, 1]))


def _variance(whole: Array, x: Array, y: Array, members: npt.NDArray[np.intp], draws: int) -> float:
    """Of θ over the draws, with two floors.

    The seeds' own fits are one, because a bootstrap over S seeds understates their variance by (S − 1)/S; the model's
    variance is the other, because draws of nothing but wins are all alike.
    """
    seeds, prompts = y.shape
    weights = np.repeat(np.eye(seeds), prompts, axis=1)
    by_seed = _fit(weights, x.ravel(), y.ravel(), np.repeat(whole, seeds, axis=0))[:, 0]
    by_draw = _fit_draws(whole, x, y, members, draws)[:, 0]
    between = float(by_seed.var(ddof=1)) / seeds if seeds > 1 else 0.0
    model = _model_variance(whole[0], x, y, int(members.max()) + 1)
    return max(float(by_draw.var(ddof=1)), between, model)


def _fit_draws(start: Array, x: Array, y: Array, members: npt.NDArray[np.intp], draws: int) -> Array:
    """The fit of each draw, shape (draws, 2); `members` numbers each prompt's cluster."""
    seed_counts, cluster_counts = crossed_draws(len(y), int(members.max()) + 1, draws)
    fits = []
    for part in (slice(first, first + _AT_A_TIME) for first in range(0, draws, _AT_A_TIME)):
        weights = seed_counts[part, :, None] * cluster_counts[part][:, None, members]
        starts = np.repeat(start, len(weights), axis=0)
        fits.append(_fit(weights.reshape(len(weights), -1), x.ravel(), y.ravel(), starts))
    return np.concatenate(fits)


def _model_variance(coefficients: Array, x: Array, y: Array, clusters: int) -> float:
    """Of θ, as if every cluster were one prompt, times the share of prompts that are no ties (and one prompt more)."""
    p = expit(coefficients[0] + coefficients[1] * x)
    weights = p * (1 - p) * clusters / y.size
    a, b, c = weights.sum() + _PRIOR_PRECISION, (weights * x).sum(), (weights * x**2).sum() + _PRIOR_PRECISION
    decisive = (float((y != 0.5).mean()) * clusters + 1) / (clusters + 1)
    return float(c / (a * c - b**2)) * decisive


def _fit(weights: Array, x: Array, y: Array, start: Array) -> Array:
    """(θ, φ) for each row of weights, by Newton's method: the penalised likelihood has one maximum.

    Raises ArithmeticError if it is not reached, which shortened steps of a concave function exclude.
    """
    coefficients = start.copy()
    for _ in range(_STEPS):
        p = expit(coefficients[:, :1] + coefficients[:, 1:] * x)
        residuals = weights * (y - p)
        slope = np.stack([residuals.sum(axis=1), residuals @ x], axis=1) - _PRIOR_PRECISION * coefficients
        curvature = weights * p * (1 - p)
        a, b, c = curvature.sum(axis=1), curvature @ x, curvature @ x**2
        a, c = a + _PRIOR_PRECISION, c + _PRIOR_PRECISION
        steps = np.stack([c * slope[:, 0] - b * slope[:, 1], a * slope[:, 1] - b * slope[:, 0]], axis=1)
        steps = np.clip(steps / (a * c - b**2)[:, None], -_LONGEST_STEP, _LONGEST_STEP)
        coefficients += steps
        if float(np.abs(steps).max()) < _CLOSE:
            return coefficients
    raise ArithmeticError(f"the length-controlled fit did not converge in {_STEPS} steps")
