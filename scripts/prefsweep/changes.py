"""What else changed: metrics of answers, other than the primary one, in which a point moved away from the base.

Preference data teaches more than was meant. Each point × metric is a test, Holm's correction is over all of them, and a
change must also be large beside how the base's answers differ among themselves.
"""

from collections.abc import Iterable
from statistics import fmean
from typing import Literal

import numpy as np

from prefsweep.comparison import Comparison, Interval
from prefsweep.metrics import ANSWER_METRICS, Metric
from prefsweep.plan import BASE
from prefsweep.records.base import Record
from prefsweep.results import StudyResults
from prefsweep.statistics import ALPHA, holm
from prefsweep.wording import signed

LEAST_SHARE = 0.2
"""Of the base's standard deviation over prompts: what Cohen (1988) calls a small effect."""

Judgement = Literal["better", "worse", ""]


class Change(Record):
    """One metric of one point against the base, on the test half."""

    point: str
    metric: Metric
    base: float
    """The base's mean."""
    difference: Interval
    in_deviations: float | None
    """The difference / the base's standard deviation over prompts; None where all of the base's answers are alike."""
    p_adjusted: float
    """Holm's, over every point and metric of the section."""
    wanted: bool

    @property
    def moved(self) -> bool:
        """Whether it is both more than chance and more than little."""
        large = self.in_deviations is None or abs(self.in_deviations) >= LEAST_SHARE
        return self.p_adjusted < ALPHA and large

    @property
    def judgement(self) -> Judgement:
        """Empty where no direction is better."""
        if self.metric.direction == "neutral":
            return ""
        return "better" if (self.difference.estimate > 0) == (self.metric.direction == "higher") else "worse"


def changes(study: StudyResults, comparison: Comparison) -> list[Change]:
    """Every comparison of the section, the largest in the base's standard deviations first.

    `study.plan.wants` names the metrics that were to change.
    """
    spreads = _base_spreads(study)
    base = next((point.metrics for point in comparison.points if point.method == BASE), {})
    found = [
        (point.point, ANSWER_METRICS[name], measured.difference)
        for point in comparison.points
        for name, measured in point.metrics.items()
        if name in ANSWER_METRICS and name != comparison.primary_metric and name in base and measured.difference
    ]
    adjusted = holm([difference.p_value for _, _, difference in found])
    listed = [
        Change(
            point=point,
            metric=metric,
            base=base[metric.name].mean.estimate,
            difference=difference,
            in_deviations=difference.estimate / spread if (spread := spreads.get(metric.name)) else None,
            p_adjusted=p_adjusted,
            wanted=metric.name in study.plan.wants,
        )
        for (point, metric, difference), p_adjusted in zip(found, adjusted, strict=True)
    ]
    return sorted(listed, key=_size, reverse=True)


def unasked(found: list[Change]) -> list[Change]:
    """The changes that nobody asked for."""
    return [change for change in found if change.moved and not change.wanted]


def changes_text(found: Iterable[Change]) -> str:
    """Changes as one cell of a table."""
    return " · ".join(f"{one.metric.name} {signed(one.difference.estimate, one.metric.unit)}" for one in found)


def _size(change: Change) -> float:
    if change.in_deviations is None:
        return float("inf") if change.difference.estimate else 0.0
    return abs(change.in_deviations)


def _base_spreads(study: StudyResults) -> dict[str, float]:
    """Metric → standard deviation over the base's test prompts that have it, mean over its seeds."""
    spreads: dict[str, list[float]] = {}
    for table in (run.scores for run in study.runs if run.point.method == BASE and run.scores):
        for name, values in zip(table.metrics, table.values, strict=True):
            found = values[np.array([half == "test" for half in table.halves])]
            found = found[np.isfinite(found)]
            if found.size > 1:
                spreads.setdefault(name, []).append(float(found.std(ddof=1)))
    return {name: fmean(found) for name, found in spreads.items()}
