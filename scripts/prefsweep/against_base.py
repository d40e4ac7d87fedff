"""Metrics that need the base beside a run: those of its scores are added here, where all scores are read.

Not in `scores.json`: a run's scores would have to wait for the base, be written again with it, and be lost where the
base failed.
"""

from collections.abc import Mapping

import numpy as np

from prefsweep.metric import Metric
from prefsweep.metric_kinds.drift import DRIFT
from prefsweep.metric_kinds.reward import REWARD, Rewards
from prefsweep.metrics import METRICS
from prefsweep.plan import BASE, Plan
from prefsweep.score_table import ScoreTable

REPORTED: dict[str, Metric] = METRICS | REWARD.entries | DRIFT.entries
"""Every metric of a report by name, in its order."""

_ANSWERS = ("chosen_log_prob", "rejected_log_prob")


def with_rewards(plan: Plan, scores: Mapping[str, ScoreTable]) -> dict[str, ScoreTable]:
    """The scores by run id with the metrics of `REWARD`, for the prompts that the run and the base have scored.

    The base stands beside itself.
    """
    if not any(point.method == BASE for point in plan.points):
        return dict(scores)
    opponents = {run: plan.opponent(run) for run in scores}
    return {
        run: _rewarded(own, scores[opponents[run]]) if opponents[run] in scores else own for run, own in scores.items()
    }


def _rewarded(own: ScoreTable, base: ScoreTable) -> ScoreTable:
    if any(name not in table.metrics for table in (own, base) for name in _ANSWERS):
        return own
    places = {prompt: index for index, prompt in enumerate(base.prompts)}
    columns = [places.get(prompt, -1) for prompt in own.prompts]
    before = np.pad(base.values, ((0, 0), (0, 1)), constant_values=np.nan)[:, columns]
    gained = [own.values[own.metrics.index(name)] - before[base.metrics.index(name)] for name in _ANSWERS]
    return own.with_metrics(REWARD.values(Rewards(*gained)))
