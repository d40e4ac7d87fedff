"""The runs of a study, each with what it will cost: points × seeds, and the rungs that decide which points go on."""

import math

from prefsweep.estimate import Estimator
from prefsweep.plan import BASE, Point, Run
from prefsweep.screening import rung_id
from prefsweep.search import halving_of
from prefsweep.study import StudyConfig


def planned_runs(config: StudyConfig, points: list[Point], estimator: Estimator) -> list[Run]:
    """Points × seeds. The base has nothing to train: it needs more than one seed only where answers are sampled."""
    runs = []
    for point in points:
        seeds = config.seeds if point.method != BASE or config.generate.temperature > 0 else config.seeds[:1]
        estimate = estimator.of(point)
        runs += [Run(id=f"{point.id}/seed-{seed}", point=point.id, seed=seed, estimate=estimate) for seed in seeds]
    return runs


def screening_runs(config: StudyConfig, points: list[Point], runs: list[Run], estimator: Estimator) -> list[Run]:
    """Each rung of each point, with the first seed."""
    halving, seed = halving_of(config.search), config.seeds[0]
    whole = {run.point: run.estimate.steps or 0 for run in runs}
    screening = []
    for point in points if halving else []:
        steps = 0
        for rung, share in enumerate(halving.shares if halving and point.method != BASE else [], start=1):
            before, steps = steps, math.ceil(share * whole[point.id])
            estimate = estimator.of_rung(point, steps - before)
            name = rung_id(point.id, seed, rung)
            screening.append(Run(id=name, point=point.id, seed=seed, rung=rung, estimate=estimate))
    return screening
