"""What a study's scores say, point by point, before it is put into words."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from prefsweep.against_base import REPORTED
from prefsweep.equivalence import equivalence_p_value
from prefsweep.length_control import LengthControlled, at_equal_length
from prefsweep.metrics import METRICS, WIN_RATE, Metric
from prefsweep.pairing import HalfPrompts, MetricComparison, compare_metrics
from prefsweep.plan import BASE, Plan, Run
from prefsweep.records.data import Half
from prefsweep.score_table import ScoreTable
from prefsweep.statistics import ALPHA, Array, holm
from prefsweep.verdict import Evidence


@dataclass(frozen=True)
class Findings:
    """What the rows are read from. Scores are by run id; `test` and `development` by point, then metric."""

    plan: Plan
    primary: Metric
    metrics: list[Metric]
    family: list[str]
    runs: dict[str, list[Run]]
    """The planned runs of each point."""
    finished: dict[str, ScoreTable]
    failed: frozenset[str]
    stopped: Mapping[str, str]
    """Point that screening stopped → why. It is compared with none that finished."""
    test_prompts: HalfPrompts
    test: dict[str, dict[str, MetricComparison]]
    development_prompts: HalfPrompts
    development: dict[str, dict[str, MetricComparison]]
    p_adjusted: dict[str, float]
    p_equivalence_adjusted: dict[str, float]

    def seeds(self, point: str, among: Container[str]) -> list[int]:
        """The seeds of a point's runs that are among these run ids, as planned."""
        return [run.seed for run in self.runs[point] if run.id in among]

    @property
    def base(self) -> str | None:
        """The base's point; None in a plan without one."""
        return next((point.id for point in self.plan.points if point.method == BASE), None)

    def evidence(self, point: str) -> Evidence:
        """What the verdict on a point rests on."""
        return Evidence(
            metric=self.primary,
            primary=self.test[point].get(self.primary.name),
            p_adjusted=self.p_adjusted.get(point),
            p_equivalence_adjusted=self.p_equivalence_adjusted.get(point),
            strictest_alpha=ALPHA / max(len(self.family), 1),
            smallest_effect=self.plan.smallest_effect,
            finished=len(self.seeds(point, self.finished)),
            failed=len(self.seeds(point, self.failed)),
            planned=len(self.runs[point]),
            stopped=self.stopped.get(point),
        )

    def best(self, points: Iterable[str]) -> str | None:
        """The best of these points on the development half, the first of equals; None if none was scored."""
        sign = 1 if self.primary.direction == "higher" else -1
        means = {
            point: sign * found[self.primary.name].mean.estimate
            for point in points
            if (found := self.development[point])
        }
        return max(means, key=lambda point: means[point], default=None)

    def best_of_method(self, method: str) -> str | None:
        """The best of a method's points."""
        return self.best(point.id for point in self.plan.points if point.method == method)

    def at_equal_length(self, point: str) -> LengthControlled | None:
        """The length-controlled win rate of a point whose answers a judge compared with the base's."""
        if self.plan.judge is None or self.base in (None, point):
            return None
        judged = [run.id for run in self.runs[point] if run.id in self.finished]
        sides = [
            (self.finished[run], self.finished[opponent])
            for run in judged
            if WIN_RATE in self.finished[run].metrics and (opponent := self.plan.opponent(run)) in self.finished
        ]
        outcomes = np.array([self.test_prompts.table(arm, [METRICS[WIN_RATE]])[0] for arm, _ in sides])
        return at_equal_length(outcomes, [arm for arm, _ in sides], [base for _, base in sides], self.test_prompts)


def find(
    plan: Plan,
    scores: Mapping[str, ScoreTable],
    failed: frozenset[str],
    stopped: Mapping[str, str],
) -> Findings:
    """Measure every point on both halves; the family of claims is every point that screening did not stop.

    Raises ValueError if the primary metric has no direction.
    """
    primary = _judged(plan.primary_metric)
    finished = {run.id: scores[run.id] for run in plan.runs if run.id in scores and run.id not in failed}
    present = {name for run in finished.values() for name in run.metrics}
    metrics = [metric for name, metric in REPORTED.items() if name in present]
    family = [point.id for point in plan.points if point.method != BASE and point.id not in stopped]
    alphas = {primary.name: ALPHA / max(len(family), 1)}
    test_prompts, test = _measure(plan, finished, "test", metrics, alphas)
    development_prompts, development = _measure(plan, finished, "development", [primary], alphas)
    p_values, equivalence_p_values = _p_values(family, test, primary, plan.smallest_effect)
    return Findings(
        plan=plan,
        primary=primary,
        metrics=metrics,
        family=family,
        runs=plan.runs_by_point,
        finished=finished,
        failed=failed,
        stopped=stopped,
        test_prompts=test_prompts,
        test=test,
        development_prompts=development_prompts,
        development=development,
        p_adjusted=_adjusted(family, p_values),
        p_equivalence_adjusted=_adjusted(family, equivalence_p_values),
    )


def _judged(name: str) -> Metric:
    if name not in METRICS or METRICS[name].direction == "neutral":
        judged = ", ".join(known for known, metric in METRICS.items() if metric.direction != "neutral")
        raise ValueError(f"primary metric {name} is unknown or has no better direction; choose one of: {judged}")
    return METRICS[name]


def _measure(
    plan: Plan, finished: Mapping[str, ScoreTable], half: Half, metrics: list[Metric], alphas: Mapping[str, float]
) -> tuple[HalfPrompts, dict[str, dict[str, MetricComparison]]]:
    """Every point's metrics on one half."""
    prompts = HalfPrompts.of(finished.values(), half)
    arms: dict[str, dict[int, Array]] = {point.id: {} for point in plan.points}
    for run in plan.runs:
        if run.id in finished:
            arms[run.point][run.seed] = prompts.table(finished[run.id], metrics)
    base = next((arms[point.id] for point in plan.points if point.method == BASE), {})
    return prompts, {
        point.id: compare_metrics(arms[point.id], {} if point.method == BASE else base, prompts, metrics, alphas)
        for point in plan.points
    }


def _p_values(
    family: list[str], test: Mapping[str, Mapping[str, MetricComparison]], primary: Metric, margin: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Of a difference to the base, and of one at least as large as the margin, for the points that have them."""
    found = {point: test[point][primary.name].difference for point in family if primary.name in test[point]}
    differences = {point: difference for point, difference in found.items() if difference is not None}
    equivalence = {point: equivalence_p_value(d, margin, rate=primary.rate) for point, d in differences.items()}
    return (
        {point: difference.p_value for point, difference in differences.items()},
        {point: p for point, p in equivalence.items() if p is not None},
    )


def _adjusted(family: list[str], p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm over the declared family; a point without a p-value stays in it with p = 1."""
    adjusted = holm([p_values.get(point, 1.0) for point in family])
    return {point: p for point, p in zip(family, adjusted, strict=True) if point in p_values}
