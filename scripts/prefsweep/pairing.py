"""Scores as arrays (seeds × prompts) and the base beside them: one metric of one point with its intervals.

Pairing is by prompt id and seed. What lacks a value on either side is left out and counted, never filled with
zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prefsweep.cross_checks import mcnemar_p_value, two_way_standard_error
from prefsweep.metrics import Metric
from prefsweep.records.base import Record
from prefsweep.records.data import Half
from prefsweep.score_table import ScoreTable
from prefsweep.statistics import (
    ALPHA,
    Array,
    Interval,
    crossed_bootstraps,
    minimum_detectable_effect,
    rate_interval,
)


class MetricComparison(Record):
    """One metric of one point on one half of the held-out prompts. Intervals are at 95 %, not adjusted."""

    metric: str
    prompts: int
    """Prompts with a value in every finished seed (and in the base, where there is one)."""
    excluded_prompts: int
    """Prompts of this half that have the metric in some of these runs but not in all: left out."""
    mean: Interval
    difference: Interval | None
    """Point − base, paired by prompt; None for the base itself and where there is nothing to pair with."""
    seed_means: dict[int, float]
    seed_differences: dict[int, float]
    minimum_detectable_effect: float | None
    """The true difference that these prompts and seeds show with 80 % power, for the primary metric at Holm's
    strictest level; None without a difference or when every prompt gives the same one."""
    two_way_standard_error: float | None
    """Of the difference, in place of the bootstrap's (prefsweep.cross_checks)."""
    mcnemar_p_value: float | None
    """Of a rate's difference with one seed, in place of the interval's."""


@dataclass(frozen=True)
class HalfPrompts:
    """One half of the held-out prompts, in a fixed order."""

    ids: tuple[str, ...]
    clusters: npt.NDArray[np.int64]

    @classmethod
    def of(cls, scores: Iterable[ScoreTable], half: Half) -> "HalfPrompts":
        """Every prompt of this half that any run scored."""
        found: dict[str, str] = {}
        for run in scores:
            rows = zip(run.prompts, run.clusters, run.halves, strict=True)
            found |= {prompt: cluster for prompt, cluster, own in rows if own == half}
        numbers = {name: index for index, name in enumerate(sorted(set(found.values())))}
        ids = tuple(sorted(found))
        return cls(ids, np.array([numbers[found[name]] for name in ids], dtype=np.int64))

    def table(self, scores: ScoreTable, metrics: Sequence[Metric]) -> Array:
        """One run's values, shape (metrics, prompts), NaN where a prompt lacks a metric."""
        rows = {name: index for index, name in enumerate(scores.metrics)}
        columns = {name: index for index, name in enumerate(scores.prompts)}
        padded = np.pad(scores.values, ((0, 1), (0, 1)), constant_values=np.nan)
        chosen = [rows.get(metric.name, -1) for metric in metrics], [columns.get(name, -1) for name in self.ids]
        table: Array = padded[np.ix_(*(np.array(indices, dtype=int) for indices in chosen))]
        return table


@dataclass(frozen=True)
class _Paired:
    """A metric's values, shape (seeds, prompts), with NaN where a prompt does not count."""

    values: Array
    seeds: list[int]
    differences: Array
    difference_seeds: list[int]
    excluded_prompts: int


def compare_metrics(
    arm: Mapping[int, Array],
    base: Mapping[int, Array],
    prompts: HalfPrompts,
    metrics: Sequence[Metric],
    alphas: Mapping[str, float],
) -> dict[str, MetricComparison]:
    """Every metric of one point that at least two prompt clusters have, by name.

    `arm` and `base` map seeds to tables of `prompts`; an empty `base` leaves the differences out. `alphas`
    holds the level of the detectable effect where it is not 5 %.
    """
    paired = [
        _pair({seed: rows[i] for seed, rows in arm.items()}, {seed: rows[i] for seed, rows in base.items()})
        for i in range(len(metrics))
    ]
    means = _intervals([pair.values for pair in paired], prompts.clusters)
    differences = _intervals([pair.differences for pair in paired], prompts.clusters)
    return {
        metric.name: _comparison(metric, pair, mean, difference, alphas, prompts.clusters)
        for metric, pair, mean, difference in zip(metrics, paired, means, differences, strict=True)
        if mean is not None
    }


def _comparison(
    metric: Metric,
    pair: _Paired,
    mean: Interval,
    difference: Interval | None,
    alphas: Mapping[str, float],
    clusters: npt.NDArray[np.int64],
) -> MetricComparison:
    by_definition = metric.against_base and not pair.difference_seeds  # the base's own
    detectable = two_way = mcnemar = None
    if difference is not None:
        keep = np.isfinite(pair.differences).all(axis=0)
        kept, groups = pair.differences[:, keep], clusters[keep]
        two_way = two_way_standard_error(kept, groups)
        mcnemar = mcnemar_p_value(kept, groups) if metric.rate else None
        if difference.standard_error > 0:
            detectable = minimum_detectable_effect(difference, alphas.get(metric.name, ALPHA))
    return MetricComparison(
        metric=metric.name,
        prompts=int(np.isfinite(pair.values).all(axis=0).sum()),
        excluded_prompts=pair.excluded_prompts,
        mean=mean if by_definition or not metric.rate else rate_interval(mean),
        difference=difference,
        seed_means=_by_seed(pair.seeds, pair.values),
        seed_differences=_by_seed(pair.difference_seeds, pair.differences) if difference else {},
        minimum_detectable_effect=detectable,
        two_way_standard_error=two_way,
        mcnemar_p_value=mcnemar,
    )


def _pair(arm: dict[int, Array], base: dict[int, Array]) -> _Paired:
    """Rows of seeds that have the metric, restricted to prompts that all of them and the base have.

    A base of one run (decoding is greedy, the model is the same for every seed) stands beside every seed;
    otherwise seeds are matched.
    """
    arm = {seed: row for seed, row in arm.items() if np.isfinite(row).any()}
    base = {seed: row for seed, row in base.items() if np.isfinite(row).any()}
    partners = dict.fromkeys(arm, next(iter(base.values()))) if len(base) == 1 else base
    matched = [seed for seed in arm if seed in partners]
    values = np.array(list(arm.values()))
    others = np.array([partners[seed] for seed in matched])
    everything = np.concatenate([rows for rows in (values, others) if rows.size] or [np.empty((0, 0))])
    keep = np.isfinite(everything).all(axis=0)
    differences = np.array([arm[seed] - partners[seed] for seed in matched])
    return _Paired(
        values=np.where(keep, values, np.nan) if values.size else values,
        seeds=list(arm),
        differences=np.where(keep, differences, np.nan) if differences.size else differences,
        difference_seeds=matched,
        excluded_prompts=int((np.isfinite(everything).any(axis=0) & ~keep).sum()),
    )


def _intervals(arrays: Sequence[Array], clusters: npt.NDArray[np.int64]) -> list[Interval | None]:
    """An interval for each (seeds, prompts) array; None below two clusters. Equal shapes share one pass."""
    groups: dict[tuple[int, bytes], list[int]] = {}
    for index, array in enumerate(arrays):
        keep = np.isfinite(array).all(axis=0) if array.size else np.zeros(len(clusters), dtype=bool)
        if np.unique(clusters[keep]).size >= 2:
            groups.setdefault((len(array), keep.tobytes()), []).append(index)
    found: list[Interval | None] = [None] * len(arrays)
    for (_, mask), indices in groups.items():
        keep = np.frombuffer(mask, dtype=bool)
        stack = np.stack([arrays[index][:, keep] for index in indices])
        for index, interval in zip(indices, crossed_bootstraps(stack, clusters[keep]), strict=True):
            found[index] = interval
    return found


def _by_seed(seeds: Sequence[int], rows: Array) -> dict[int, float]:
    return {seed: float(np.nanmean(row)) for seed, row in zip(seeds, rows, strict=True)}
