"""How sure a mean or a difference is: crossed bootstrap, Wilson, Holm, smallest detectable effect.

Answers differ by prompt and by training seed, and both are samples. A test that resamples prompts alone calls
one lucky seed an effect (docs/statistics.md), so both are resampled together.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from prefsweep.records.base import Record

DRAWS = 2000
ALPHA = 0.05
POWER = 0.8

_LEAST_PROBABILITY = 1e-300

Array = npt.NDArray[np.float64]


class Interval(Record):
    """A mean (or mean difference) over seeds × prompts, in the metric's unit, and how sure it is."""

    estimate: float
    low: float
    high: float
    """Bounds of the two-sided 95 % interval."""
    p_value: float
    """Two-sided, of the hypothesis that the true value is zero; not adjusted for other tests."""
    standard_error: float
    seed_standard_error: float
    """The part that comes from seeds and that more prompts cannot remove; zero with one seed."""
    seed_share: float
    """V_seed / (V_prompt + V_seed): how much of the uncertainty is known from no more than these seeds."""
    seeds: int
    clusters: int
    """Independent groups of prompts; with one prompt per cluster the number of prompts."""

    def quantile(self, level: float) -> float:
        """How many standard errors the estimate lies above the truth, at most, with probability `level`.

        Cochran and Cox's (1957) mean of Student's quantiles for the prompts and for the seeds, by their shares of the
        variance. It errs towards caution where degrees of freedom estimated from few seeds do not (docs/statistics.md).
        """
        by_prompts = float(special.stdtrit(self.clusters - 1, level))
        by_seeds = float(special.stdtrit(self.seeds - 1, level)) if self.seeds > 1 else 0.0
        return (1 - self.seed_share) * by_prompts + self.seed_share * by_seeds

    def tail(self, distance: float) -> float:
        """Probability that the estimate lies so many standard errors above the truth, or more: `quantile` inverted."""
        if distance <= 0:
            return 1 - self.tail(-distance) if distance else 0.5
        by_prompts = float(special.stdtr(self.clusters - 1, -distance))
        if self.seed_share == 0:
            return by_prompts
        least = max(min(by_prompts, float(special.stdtr(self.seeds - 1, -distance))), _LEAST_PROBABILITY) / math.e
        if -self.quantile(least) <= distance:
            return least
        found = optimize.brentq(lambda log: -self.quantile(math.exp(log)) - distance, *np.log([least, 0.5]))
        return math.exp(found)


def crossed_bootstrap(
    values: npt.ArrayLike, clusters: npt.ArrayLike, draws: int = DRAWS, generator_seed: int = 0
) -> Interval:
    """Interval of the mean of `values`, shape (seeds, prompts): pass paired differences to compare two arms.

    The one-array form of `crossed_bootstraps`.
    """
    return crossed_bootstraps(np.asarray(values, dtype=float)[np.newaxis], clusters, draws, generator_seed)[0]


def crossed_bootstraps(
    stack: npt.ArrayLike, clusters: npt.ArrayLike, draws: int = DRAWS, generator_seed: int = 0
) -> list[Interval]:
    """One interval for each array of `stack`, shape (arrays, seeds, prompts), all from the same draws.

    The pigeonhole bootstrap (Owen 2007, arXiv 0712.1111) draws seeds and, independently, prompt clusters with
    replacement and weighs every value by the product of its two counts. Its standard error goes into an
    interval by `Interval.quantile`, so that few seeds widen it; each one-way clustered standard error is a
    floor, because a bootstrap over S seeds understates their variance by (S - 1)/S. The p-value is never below
    2^(1 - clusters), the least that a paired sign-flip test over clusters can give. With one seed only prompts
    vary. The same shape, `draws` and `generator_seed` always give the same draws.

    `clusters`, shape (prompts,), names each prompt's cluster by an integer. Raises ValueError when a value is
    not finite, a shape does not fit, or there are fewer than two clusters.
    """
    values = np.asarray(stack, dtype=float)
    _, members = np.unique(np.asarray(clusters), return_inverse=True)
    if values.ndim != 3 or values.shape[2] != members.size or 0 in values.shape[1:]:
        raise ValueError(f"values of shape {values.shape} do not fit {members.size} prompts")
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite: leave prompts without a value out")
    if members.max() < 1:
        raise ValueError("an interval needs prompts from at least two clusters")
    order = np.argsort(members, kind="stable")
    sizes = np.bincount(members).astype(float)
    sums = np.add.reduceat(values[:, :, order], np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int), axis=2)
    estimates = values.mean(axis=(1, 2))
    bootstrap = _bootstrap_variance(sums, sizes, draws, generator_seed)
    residuals = (sums - estimates[:, None, None] * sizes) / sizes.mean()
    return [
        _interval(float(estimate), float(variance), residual)
        for estimate, variance, residual in zip(estimates, bootstrap, residuals, strict=True)
    ]


def _bootstrap_variance(sums: Array, sizes: Array, draws: int, generator_seed: int) -> Array:
    """Variance of the weighted mean over the draws, for each (seeds, clusters) array of sums."""
    seeds = sums.shape[1]
    seed_counts, cluster_counts = crossed_draws(seeds, sizes.size, draws, generator_seed)
    by_seed = np.tensordot(cluster_counts, sums, axes=(1, 2))
    totals = np.einsum("das,ds->da", by_seed, seed_counts)
    replicates = totals / (seeds * (cluster_counts @ sizes))[:, None]
    variance: Array = replicates.var(axis=0, ddof=1)
    return variance


@lru_cache(maxsize=16)
def crossed_draws(seeds: int, clusters: int, draws: int = DRAWS, generator_seed: int = 0) -> tuple[Array, Array]:
    """How often each draw takes each seed and each cluster, shapes (draws, seeds) and (draws, clusters)."""
    generator = np.random.default_rng(generator_seed)
    seed_counts = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws)
    cluster_counts = generator.multinomial(clusters, np.full(clusters, 1 / clusters), size=draws)
    return seed_counts.astype(float), cluster_counts.astype(float)


def _interval(estimate: float, bootstrap: float, residuals: Array) -> Interval:
    """An interval from the bootstrap's variance and the residuals of shape (seeds, clusters)."""
    seeds, clusters = residuals.shape
    by_cluster, by_seed = residuals.mean(axis=0), residuals.mean(axis=1)
    cluster_part = float(by_cluster.var(ddof=1)) / clusters
    seed_part = float(by_seed.var(ddof=1)) / seeds if seeds > 1 else 0.0
    interaction = residuals - by_cluster - by_seed[:, None]
    noise = float((interaction**2).sum()) / max((seeds - 1) * (clusters - 1), 1) / (seeds * clusters)
    found = Interval(
        estimate=estimate,
        low=estimate,
        high=estimate,
        p_value=1.0,
        standard_error=math.sqrt(max(bootstrap, cluster_part, seed_part)),
        seed_standard_error=math.sqrt(max(seed_part - noise, 0.0)) if seeds > 1 else 0.0,
        seed_share=seed_part / (cluster_part + seed_part) if seed_part > 0 else 0.0,
        seeds=seeds,
        clusters=clusters,
    )
    half_width = found.quantile(1 - ALPHA / 2) * found.standard_error
    ends = {"low": estimate - half_width, "high": estimate + half_width}
    return found.model_copy(update=ends | {"p_value": _p_value(found)})


def _p_value(found: Interval) -> float:
    if found.estimate == 0:
        return 1.0
    error = found.standard_error
    tail = 2 * found.tail(abs(found.estimate) / error) if error > 0 else 0.0
    return max(tail, least_p_value(found.clusters))


def least_p_value(clusters: int) -> float:
    """What a two-sided paired sign-flip test gives when all clusters agree: 2^(1 - clusters)."""
    return 2.0 ** (1 - clusters)


def wilson(successes: float, n: float, alpha: float = ALPHA) -> tuple[float, float]:
    """Wilson's (1927) score interval of a rate; both counts may be fractional (ties, effective sizes).

    Raises ValueError unless 0 <= successes <= n and n > 0.
    """
    if not 0 <= successes <= n or n <= 0:
        raise ValueError(f"{successes} successes in {n} trials are not a rate")
    z = float(stats.norm.ppf(1 - alpha / 2))
    rate = successes / n
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half_width = z / (1 + z**2 / n) * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return max(centre - half_width, 0.0), min(centre + half_width, 1.0)


def rate_interval(interval: Interval) -> Interval:
    """The same interval for a mean of zeros and ones: Wilson's at the effective number of prompts.

    That number is p(1 - p)/SE² (Kish 1965), at most the number of clusters: for one seed and one prompt per
    cluster it is plain Wilson, which stays inside [0, 1] and has a width even when all prompts agree.
    """
    rate = min(max(interval.estimate, 0.0), 1.0)
    variance = interval.standard_error**2
    effective = min(rate * (1 - rate) / variance, interval.clusters) if variance > 0 else interval.clusters
    low, high = wilson(rate * effective, effective)
    return interval.model_copy(update={"low": low, "high": high})


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down adjusted p-values, in the order given."""
    count = len(p_values)
    adjusted = [0.0] * count
    running = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def minimum_detectable_effect(interval: Interval, alpha: float = ALPHA, power: float = POWER) -> float:
    """The true difference that a two-sided test of a study like this one finds with probability `power`.

    See `effect_with_power`. How much seeds differ is estimated from the seeds that there are; more often than not,
    few of them differ by less than such seeds do, so the estimate is raised to be as often too large as too small.
    """
    return effect_with_power(median_unbiased(interval), alpha, power)


def effect_with_power(interval: Interval, alpha: float, power: float) -> float:
    """(q[1 - alpha/2] + q[power]) × SE, q the interval's quantiles.

    Bloom 1995; for paired evaluations Miller 2024, arXiv 2411.00640.
    """
    return (interval.quantile(1 - alpha / 2) + interval.quantile(power)) * interval.standard_error


def median_unbiased(interval: Interval) -> Interval:
    """The same with its seeds' variance divided by the median of χ²/(S - 1): 0.45 for two seeds, 0.69 for three."""
    if interval.seeds < 2:
        return interval
    freedom = interval.seeds - 1
    factor = freedom / float(special.chdtri(freedom, 0.5))
    growth = 1 + (factor - 1) * interval.seed_share
    return interval.model_copy(
        update={
            "standard_error": interval.standard_error * math.sqrt(growth),
            "seed_standard_error": interval.seed_standard_error * math.sqrt(factor),
            "seed_share": interval.seed_share * factor / growth,
        }
    )
