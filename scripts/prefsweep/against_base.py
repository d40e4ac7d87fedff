"""Metrics that need the base beside a run: those of its scores are added here, where all scores are read.

Not in `scores.json`: a run's scores would have to wait for the base, be written again with it, and be lost where the
base failed.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from prefsweep.metric import Metric
from prefsweep.metric_kinds.drift import DRIFT
from prefsweep.metric_kinds.reward import REWARD, Rewards
from prefsweep.metric_kinds.reward_beside_base import REWARD_BESIDE_BASE, ScoresBesideBase
from prefsweep.metrics import METRICS, REWARD_MODEL_SCORE
from prefsweep.plan import BASE, Plan
from prefsweep.score_table import ScoreTable
from prefsweep.statistics import Array

REPORTED: dict[str, Metric] = METRICS | REWARD.entries | DRIFT.entries | REWARD_BESIDE_BASE.entries
"""Every metric of a report by name, in its order."""

_ANSWERS = ("chosen_log_prob", "rejected_log_prob")


def with_rewards(plan: Plan, scores: Mapping[str, ScoreTable]) -> dict[str, ScoreTable]:
    """The scores by run id with the metrics that need the base's, of the prompts that both the run and the base have.

    The base stands beside itself.
    """
    if not any(point.method == BASE for point in plan.points):
        return dict(scores)
    opponents = {run: plan.opponent(run) for run in scores}
    return {
        run: _rewarded(own, scores[opponents[run]]) if opponents[run] in scores else own for run, own in scores.items()
    }


def _rewarded(own: ScoreTable, base: ScoreTable) -> ScoreTable:
    added: dict[str, Array] = {}
    if pairs := _beside(own, base, _ANSWERS):
        added |= REWARD.values(Rewards(*(mine - before for mine, before in pairs)))
    if scores := _beside(own, base, (REWARD_MODEL_SCORE,)):
        added |= REWARD_BESIDE_BASE.values(ScoresBesideBase(*scores[0]))
    return own.with_metrics(added) if added else own


def _beside(own: ScoreTable, base: ScoreTable, metrics: Sequence[str]) -> list[tuple[Array, Array]]:
    """Of each metric a run's values and the base's of the same prompts; empty where one of the two lacks one."""
    if any(name not in table.metrics for table in (own, base) for name in metrics):
        return []
    places = {prompt: index for index, prompt in enumerate(base.prompts)}
    columns = [places.get(prompt, -1) for prompt in own.prompts]
    before = np.pad(base.values, ((0, 0), (0, 1)), constant_values=np.nan)[:, columns]
    return [(own.values[own.metrics.index(name)], before[base.metrics.index(name)]) for name in metrics]
