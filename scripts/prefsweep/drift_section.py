"""What the page says of the distance from the base: how far each point's own answers are, and what it could not tell.

Not tested: a divergence is above 0 for any model that differs at all, so that p-values would say nothing.
"""

from typing import Any

from prefsweep.account import Table, table
from prefsweep.comparison import Comparison, PointComparison
from prefsweep.leaderboard import ranked
from prefsweep.metric_kinds.drift import DRIFT
from prefsweep.plan import BASE
from prefsweep.results import StudyResults

_KL, _PER_ANSWER, _LOG_RATIO = DRIFT.entries
_HEADS = ["point", "KL per token", "95 % interval", "KL per answer", "log ratio per token"]
_LEAD = (
    "KL(point ‖ base) along the point's own answers to the test prompts, in nats: at each token of an answer, how far "
    "the model's distribution over all next tokens is from the base's, computed and not estimated. Of two points that "
    "gain the same, the nearer one changed less. The log ratio says how much likelier than the base a point finds "
    "its answers. 0 is the base; no verdict follows."
)


def drift_section(study: StudyResults, comparison: Comparison) -> dict[str, Any]:
    """`lead`, `tables` and `failures`; all empty in a study that does without."""
    failures = [run.drifted.failure for run in study.runs if run.drifted.failure]
    points = [point for point in ranked(comparison) if point.method != BASE and _KL in point.metrics]
    return {
        "lead": _LEAD if points or failures else "",
        "tables": [_distances(points)] if points else [],
        "failures": [f"{one.run}: {one.message}. What to do: {one.remedy}" for one in failures],
    }


def _distances(points: list[PointComparison]) -> Table:
    rows = [{"name": point.label, "method": point.method, "cells": _cells(point)} for point in points]
    return table("Distance from the base, test half", _HEADS, rows)


def _cells(point: PointComparison) -> list[str]:
    kl, answer, ratio = (point.metrics[name].mean for name in (_KL, _PER_ANSWER, _LOG_RATIO))
    return [
        f"{kl.estimate:.3f}",
        f"{kl.low:.3f} to {kl.high:.3f}",
        f"{answer.estimate:.1f}",
        f"{round(ratio.estimate, 3) + 0.0:+.3f}".replace("-", "−"),
    ]
