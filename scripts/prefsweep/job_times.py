"""What a study's jobs take: as those that finished, in proportion to the plan's estimates; before, as planned."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from heapq import nlargest
from pathlib import Path
from statistics import median
from typing import Self

from prefsweep.plan import Plan, Run, StageEstimate, run_directory
from prefsweep.planned_jobs import Job
from prefsweep.records.base import read_document
from prefsweep.records.progress import Basis
from prefsweep.screening import rung_id

_RECENT = 50
"""Finished jobs of a stage that are read, the latest: a median gains nothing from more."""


@dataclass(frozen=True)
class Finished:
    """What a finished job took."""

    method: str
    seconds: float
    planned: float | None
    """The plan's estimate of it."""


@dataclass(frozen=True)
class JobTimes:
    """Finished jobs by stage, and the plan that estimated them."""

    plan: Plan
    finished: Mapping[str, list[Finished]]

    @classmethod
    def of(cls, study_directory: Path, plan: Plan, jobs: Iterable[Job]) -> Self:
        """Read what the jobs that are done have recorded."""
        done: dict[str, list[tuple[float, Job]]] = {}
        for job in jobs:
            if job.state == "done":
                done.setdefault(job.stage, []).append((_written(job.record), job))
        finished: dict[str, list[Finished]] = {}
        for stage, written in done.items():
            for when, job in nlargest(_RECENT, written, key=lambda pair: pair[0]):
                seconds = _own_seconds(study_directory, plan, job, when)
                if seconds is not None:
                    planned = _planned(plan, job.run, stage)
                    method = plan.point_of(job.run.id).method
                    finished.setdefault(stage, []).append(Finished(method, seconds, planned[0]))
        return cls(plan, finished)

    def expected(self, run: Run, stage: str) -> tuple[float | None, Basis]:
        """What a job takes, in seconds, and what that rests on: best on finished jobs of its own method."""
        finished = self.finished.get(stage, [])
        method = self.plan.point_of(run.id).method
        alike = [job for job in finished if job.method == method] or finished
        planned, basis = _planned(self.plan, run, stage)
        ratios = [job.seconds / job.planned for job in alike if job.planned]
        if planned is not None:
            return (planned * median(ratios), "finished runs") if ratios else (planned, basis)
        return (median(job.seconds for job in alike), "finished runs") if alike else (None, "unknown")

    def measured(self, stage: str) -> list[float]:
        """Seconds of the finished jobs."""
        return [job.seconds for job in self.finished.get(stage, [])]


def _planned(plan: Plan, run: Run, stage: str) -> tuple[float | None, Basis]:
    """The plan's estimate of a job; of a run that goes on from a rung, only for the steps that are left."""
    found = [estimate for estimate in run.estimate.stages if estimate.stage == stage]
    if not found:
        return None, "unknown"
    return found[0].seconds * (1 - _made_before(plan, run) if stage == "train" else 1), _basis(found[0])


def _basis(estimate: StageEstimate) -> Basis:
    return "first guess" if estimate.basis == "first guess" else "other studies' runs"


def _made_before(plan: Plan, run: Run) -> float:
    """Share of a full run's steps that its rungs have made; a rung's own estimate leaves them out already."""
    continues = plan.halving is not None and run.rung is None and run.seed == plan.seeds[0]
    return plan.halving.shares[-1] if plan.halving and continues else 0.0


def _own_seconds(study_directory: Path, plan: Plan, job: Job, written: float) -> float | None:
    """What a job took without the rungs that it continued, which a training's record counts in."""
    total, continued = _recorded(job.record, written)
    if total is None or not continued or plan.halving is None:
        return total
    before = (job.run.rung or plan.halving.rungs + 1) - 1
    record = run_directory(study_directory, rung_id(job.run.point, job.run.seed, before)) / "train.json"
    earlier, _ = _recorded(record, _written(record))
    return total - (earlier or 0.0)


def _written(record: Path) -> float:
    try:
        return record.stat().st_mtime
    except OSError:  # gone since: its job begins anew
        return 0.0


@lru_cache(maxsize=4096)
def _recorded(record: Path, _: float) -> tuple[float | None, bool]:
    """Seconds that a record says its job took, and whether it continued another; read again only when it changes."""
    try:
        document = read_document(record)
    except (OSError, ValueError):
        return None, False
    return document.get("total_seconds"), bool(document.get("continued_from_step"))
