"""Screen then confirm: where a rung ends, points are ranked by the primary metric on the development half.

The DAG of a study is static: every point has every later job. A job whose point was stopped finds an empty file where
its input should be, and leaves empty files itself. So does a rung's job that failed by its own doing, because the
decision about the others must not wait for it; the point's next job then fails with the rung's failure.
"""

import math
import os
from collections.abc import Collection, Mapping
from itertools import takewhile
from pathlib import Path
from statistics import fmean

from prefsweep.admission import OUTPUTS, left_empty
from prefsweep.failures import RUNG, Failure, failure_of
from prefsweep.metrics import METRICS
from prefsweep.plan import BASE, Plan, Point, run_directory
from prefsweep.records.score import Scores
from prefsweep.records.screening import Screening, Standing
from prefsweep.wording import value_text

END = "end"
"""What the last decision is about: the full run, with every seed."""


def rung_id(point: str, seed: int, rung: int) -> str:
    """The id of the run that screens a point."""
    return f"{point}/seed-{seed}{RUNG}{rung}"


def rung_before(following: str, plan: Plan) -> int:
    """The number of the rung where it is decided who goes on to `rung-<n>` or `end`; 0 if everyone does."""
    if following == END:
        return plan.halving.rungs if plan.halving else 0
    return int(following.removeprefix("rung-")) - 1


def decision_file(study_directory: Path, following: str) -> Path:
    """Where it is kept who goes on to `rung-<n>` or `end`."""
    return study_directory / "admission" / f"{following}.json"


def decide(
    plan: Plan,
    rung: int,
    scores: Mapping[str, Scores],
    failures: Mapping[str, Failure],
    steps: Mapping[str, int],
    finished: Collection[str] = (),
) -> Screening:
    """Rank the points that reached a rung; the best share of each group, rounded up, continues.

    `scores`, `failures` and `steps` are by point; a point in none of the former two was stopped before. A failed point
    ranks last and never continues; one that is `finished` always does, because what is finished is never thrown away.
    Equals keep the plan's order.
    """
    assert plan.halving is not None
    groups: dict[str, list[Point]] = {}
    for point in plan.points:
        if point.id in scores or point.id in failures:
            group = point.method if plan.halving.within == "method" else plan.study
            groups.setdefault(group, []).append(point)
    values = {point: value for point, found in scores.items() if (value := _mean(plan, found)) is not None}
    sign = -1 if METRICS[plan.primary_metric].direction == "lower" else 1
    standings = []
    for group, points in groups.items():
        places = math.ceil(plan.halving.keep * len(points))
        points.sort(key=lambda point: -sign * values[point.id] if point.id in values else math.inf)
        for rank, point in enumerate(points, start=1):
            standings.append(
                Standing(
                    point=point.id,
                    label=point.label,
                    group=group,
                    value=values.get(point.id),
                    rank=rank,
                    steps=steps.get(point.id),
                    kept=point.id in values and (rank <= places or point.id in finished),
                    failure=failures.get(point.id),
                )
            )
    reached = {standing.point for standing in standings}
    return Screening(
        rung=rung,
        share=plan.halving.shares[rung - 1],
        metric=plan.primary_metric,
        halving=plan.halving,
        standings=standings,
        stopped_before=[point.id for point in plan.points if point.method != BASE and point.id not in reached],
    )


def _mean(plan: Plan, scores: Scores) -> float | None:
    values = [prompt.metrics[plan.primary_metric] for prompt in scores.prompts if plan.primary_metric in prompt.metrics]
    return fmean(values) if values else None


def decisions(study_directory: Path, plan: Plan) -> list[Screening]:
    """The decisions that stand, in their order: those made by the plan's rules, about its points."""
    planned = {point.id for point in plan.points if point.method != BASE}
    found: list[Screening] = []
    for following in decided_on(plan):
        try:
            decision = Screening.read(decision_file(study_directory, following))
        except (OSError, ValueError):
            break
        points = {*decision.stopped_before, *(standing.point for standing in decision.standings)}
        if (decision.halving, decision.metric, points) != (plan.halving, plan.primary_metric, planned):
            break
        found.append(decision)
    return found


def decided_on(plan: Plan) -> list[str]:
    """What decisions are about, in their order: every rung after the first, and the end; nothing without halving."""
    return [*(f"rung-{rung}" for rung in range(2, plan.halving.rungs + 1)), END] if plan.halving else []


def open_decisions(study_directory: Path, plan: Plan) -> list[str]:
    """Those that have to be made, or made again, because a run had failed or the study has changed."""
    standing = list(takewhile(_without_failure, decisions(study_directory, plan)))
    return decided_on(plan)[len(standing) :]


def stopped_points(decision: Screening) -> dict[str, str]:
    """Point that a decision stopped → why, in a clause."""
    metric = METRICS[decision.metric]
    reasons = {}
    for standing in decision.standings:
        group = [other for other in decision.standings if other.group == standing.group]
        kept = [other.value for other in group if other.kept and other.value is not None]
        if standing.stopped:
            value = "n/a" if standing.value is None else value_text(standing.value, metric.unit)
            last = f"; the last of {len(kept)} kept has {value_text(kept[-1], metric.unit)}" if kept else ""
            reasons[standing.point] = (
                f"after {decision.share:.0%} of its steps rank {standing.rank} of {len(group)} in {standing.group} "
                f"by {metric.name} on the development half, {value}{last}"
            )
    return reasons


def reopen(study_directory: Path, plan: Plan) -> None:
    """Before a call: take back what `open_decisions` have left behind.

    What is finished stays: only records of decisions go, and the empty files of runs that stopped or failed at a rung.
    Where nothing can be written, nothing is done: whoever only reads is answered, and preflight refuses the others.
    """
    if not os.access(study_directory, os.W_OK):
        return
    reopened = open_decisions(study_directory, plan)
    for following in reopened:
        decision_file(study_directory, following).unlink(missing_ok=True)
    for run in (*plan.screening, *plan.runs):
        directory = run_directory(study_directory, run.id)
        following = END if run.rung is None else f"rung-{run.rung}"
        stands = plan.halving is not None and following not in reopened
        for name in () if stands and not failure_of(directory) else OUTPUTS:
            if left_empty(directory / name):
                (directory / name).unlink()


def _without_failure(decision: Screening) -> bool:
    return all(standing.failure is None for standing in decision.standings)
