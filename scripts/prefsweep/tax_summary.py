"""A point's alignment tax in one figure and one clause: the mean change over tasks, and what of it was detected.

The mean is over lm-eval's tasks whose values are shares with a better direction, each task once, its metrics averaged
first; more than zero is better than the base. Values in bits have no common scale with shares and are only judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from prefsweep.statistics import ALPHA
from prefsweep.tax import TaskTax
from prefsweep.wording import signed


@dataclass(frozen=True)
class TaxSummary:
    """Of one point against the base."""

    mean_change: float | None
    """A share, more is better; None where no task has shares."""
    tests: int
    """Values that were compared: tasks × metrics."""
    losses: tuple[str, ...]
    """Each detected change for the worse: task, metric, difference."""
    changes: tuple[str, ...]
    """Each other detected change: for the better, or of a metric without a direction."""

    @property
    def text(self) -> str:
        """What was detected, in a clause: losses before anything else."""
        if not (self.losses or self.changes):
            return "none detected"
        what, found = ("worse", self.losses) if self.losses else ("changed", self.changes)
        return f"{what} in {len(found)} of {self.tests}"


_SIGN = {"higher": 1, "lower": -1, "neutral": 0}


def tax_summary(taxes: Sequence[TaskTax], point: str) -> TaxSummary | None:
    """What the tasks say of a point together; None where it has no difference to a base in any of them."""
    tested = [tax for tax in taxes if (found := tax.points.get(point)) and found.difference]
    detected = [tax for tax in tested if tax.p_adjusted.get(point, 1.0) < ALPHA]
    lost = [tax for tax in detected if _gain(tax, point) < 0]
    if not tested:
        return None
    return TaxSummary(
        mean_change=mean_change(taxes, point),
        tests=len(tested),
        losses=tuple(_named(tax, point) for tax in lost),
        changes=tuple(_named(tax, point) for tax in detected if tax not in lost),
    )


def mean_change(taxes: Sequence[TaskTax], point: str, seed: int | None = None) -> float | None:
    """Over tasks with shares, of all seeds or of one; more is better. None where there is none."""
    gains: dict[str, list[float]] = {}
    for tax in taxes:
        found = tax.points.get(point)
        if tax.metric.unit != "share" or tax.metric.direction == "neutral" or not (found and found.difference):
            continue
        change = found.difference.estimate if seed is None else found.seed_differences.get(seed)
        if change is not None:
            gains.setdefault(tax.task, []).append(_SIGN[tax.metric.direction] * change)
    return fmean(map(fmean, gains.values())) if gains else None


def _gain(tax: TaskTax, point: str) -> float:
    """The difference to the base, more is better; zero where lm-eval does not say which is."""
    difference = tax.points[point].difference
    return _SIGN[tax.metric.direction] * difference.estimate if difference else 0.0


def _named(tax: TaskTax, point: str) -> str:
    """`arc_easy acc −25.0 pp`."""
    difference = tax.points[point].difference
    assert difference is not None
    return f"{tax.task} {tax.metric.name.replace('_', ' ')} {signed(difference.estimate, tax.metric.unit)}"
