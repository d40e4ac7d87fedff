"""What a sweep teaches beyond its winner: the effect of each hyperparameter, and what fewer tries would have given.

Exploration, of which no verdict is made: intervals are at 95 %, not adjusted for their number, and know the points that
were tried and no others. A point counts when all its planned runs finished. A method of which screening stopped points
is left out: those that went on were picked for their values, and would flatter every setting they share.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from prefsweep.files import canonical_json
from prefsweep.findings import Findings
from prefsweep.pairing import HalfPrompts
from prefsweep.plan import BASE, Point
from prefsweep.records.base import Record
from prefsweep.setting_grids import SettingGrid, levels, setting_grids
from prefsweep.statistics import Array, Interval, crossed_bootstraps, rate_interval

_ALL_BUDGETS = 12
"""Up to so many points every number of tries is computed, beyond it the powers of two and all."""


class Effect(Record):
    """What one value of one hyperparameter did to the primary metric, against the lowest value of the sweep."""

    method: str
    setting: str
    value: Any
    reference: Any
    pairs: int
    """Pairs of points that differ in this setting only; the difference is the mean over them."""
    pairs_above: int
    """Those in which the value's point had the higher mean."""
    difference: Interval
    """Over seeds × prompts of the development half."""
    seed_differences: dict[int, float]
    """The same of each seed alone."""


class BestOf(Record):
    """What the best of some tries is worth: picked on the development half, measured on the test half."""

    method: str
    tries: int
    points: int
    """Points that were tried to the end."""
    lost: int
    """Points of which a run failed: a try like any other, and never the best."""
    expected: Interval


class Lessons(Record):
    """By method in the plan's order. All are empty where nothing was swept."""

    effects: list[Effect]
    """A value without a pair has none."""
    best_of: list[BestOf]
    grids: list[SettingGrid]


def learn(findings: Findings) -> Lessons:
    """Everything the finished points of each method tell about one another."""
    stopped = {point.method for point in findings.plan.points if point.id in findings.stopped}
    methods = list(dict.fromkeys(point.method for point in findings.plan.points))
    methods = [method for method in methods if method not in stopped | {BASE}]
    points = {method: _whole_points(findings, method) for method in methods}
    return Lessons(
        effects=[effect for method in methods for effect in _effects(findings, method, points[method])],
        best_of=[best for method in methods for best in _best_of(findings, method, points[method])],
        grids=[grid for method in methods for grid in setting_grids(findings, method, points[method])],
    )


def best_of_weights(points: int, lost: int, tries: int) -> list[float]:
    """How likely each of `points`, from worst to best, is the best of `tries` drawn without replacement.

    The unbiased form (Tang et al. 2020, arXiv 2004.13705) of the expected best of k (Dodge et al. 2019, arXiv
    1909.03004). `lost` further points are drawn but never the best; given that not all of a draw are.
    """
    ways = [math.comb(lost + rank, tries - 1) for rank in range(points)]
    return [float(Fraction(number, sum(ways))) for number in ways]


def _whole_points(findings: Findings, method: str) -> list[Point]:
    """The points all of whose runs finished and were scored, in the plan's order."""
    return [
        point
        for point in findings.plan.points
        if point.method == method
        and findings.development[point.id]
        and all(run.id in findings.finished for run in findings.runs[point.id])
    ]


def _tables(findings: Findings, points: Sequence[Point], half: HalfPrompts) -> tuple[Array, npt.NDArray[np.int64]]:
    """The primary metric, shape (points, seeds, prompts), of prompts that have it in all runs; and their clusters."""
    runs = [[findings.finished[run.id] for run in findings.runs[point.id]] for point in points]
    values = np.array([[half.table(scores, [findings.primary])[0] for scores in seeds] for seeds in runs])
    keep = np.isfinite(values).all(axis=(0, 1))
    return values[:, :, keep], half.clusters[keep]


def _intervals(stack: Sequence[Array], clusters: npt.NDArray[np.int64]) -> list[Interval | None]:
    if not stack or np.unique(clusters).size < 2:
        return [None] * len(stack)
    return [*crossed_bootstraps(np.stack(stack), clusters)]


def _effects(findings: Findings, method: str, points: Sequence[Point]) -> list[Effect]:
    if len(points) < 2:
        return []
    values, clusters = _tables(findings, points, findings.development_prompts)
    names = dict.fromkeys(name for point in points for name in point.settings)
    seeds = [run.seed for run in findings.runs[points[0].id]]
    return [effect for name in names for effect in _effects_of(method, name, points, values, clusters, seeds)]


def _effects_of(
    method: str,
    setting: str,
    points: Sequence[Point],
    values: Array,
    clusters: npt.NDArray[np.int64],
    seeds: Sequence[int],
) -> list[Effect]:
    """Every other value against the lowest, each over the pairs of points that are equal in all other settings."""
    reference, *others = levels([point.settings.get(setting) for point in points])
    paired = {
        index: pairs for index, level in enumerate(others) if (pairs := _pairs(setting, points, reference, level))
    }
    differences = [np.array([values[one] - values[other] for one, other in pairs]) for pairs in paired.values()]
    intervals = _intervals([pairs.mean(axis=0) for pairs in differences], clusters)
    return [
        Effect(
            method=method,
            setting=setting,
            value=others[index],
            reference=reference,
            pairs=len(pairs),
            pairs_above=int((pairs.mean(axis=(1, 2)) > 0).sum()),
            difference=interval,
            seed_differences=dict(zip(seeds, map(float, pairs.mean(axis=(0, 2))), strict=True)),
        )
        for index, pairs, interval in zip(paired, differences, intervals, strict=True)
        if interval is not None
    ]


def _pairs(setting: str, points: Sequence[Point], reference: Any, level: Any) -> list[tuple[int, int]]:
    """(point with `level`, point with `reference`), by index, that agree in all other settings."""
    places = {canonical_json(point.settings): index for index, point in enumerate(points)}
    return [
        (index, places[partner])
        for index, point in enumerate(points)
        if point.settings.get(setting) == level
        and (partner := canonical_json(point.settings | {setting: reference})) in places
    ]


def _best_of(findings: Findings, method: str, points: Sequence[Point]) -> list[BestOf]:
    """Of several points; the order in which they would be picked is the one on the development half."""
    if len(points) < 2:
        return []
    name, sign = findings.primary.name, -1 if findings.primary.direction == "lower" else 1
    means = {point.id: sign * findings.development[point.id][name].mean.estimate for point in points}
    rising = sorted(points, key=lambda point: means[point.id], reverse=True)[::-1]
    values, clusters = _tables(findings, rising, findings.test_prompts)
    lost = sum(
        point.method == method and any(run.id in findings.failed for run in findings.runs[point.id])
        for point in findings.plan.points
    )
    budgets = _budgets(len(points) + lost)
    weights = np.array([best_of_weights(len(points), lost, tries) for tries in budgets])
    found = _intervals([*np.tensordot(weights, values, axes=1)], clusters)
    return [
        BestOf(
            method=method,
            tries=tries,
            points=len(points),
            lost=lost,
            expected=rate_interval(interval) if findings.primary.rate else interval,
        )
        for tries, interval in zip(budgets, found, strict=True)
        if interval is not None
    ]


def _budgets(points: int) -> list[int]:
    if points <= _ALL_BUDGETS:
        return list(range(1, points + 1))
    return sorted({points, *(2**power for power in range(points.bit_length()))})
