"""The jobs a study's runs consist of, and where each of them is, by what it has left in the run's folder."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prefsweep.admission import left_empty
from prefsweep.failures import Failure, silent_death
from prefsweep.lifetime import Process, Running, is_held
from prefsweep.plan import BASE, Plan, Run, run_directory
from prefsweep.screening import decisions, stopped_points

State = Literal["done", "running", "failed", "held up", "waiting", "stopped"]
LAST_RECORDS = {
    "train": "train.json",
    "merge": "merge.json",
    "measure": "throughput.json",
    "score": "scores.json",
    "drift": "drift.json",
    "judge": "judge.json",
    "reward": "reward.json",
}
"""Stage → what it writes last, in the order of the data."""
_NEEDED_BY_NONE = frozenset({"score", "drift", "judge", "reward"})
"""Stages whose failure costs their run none of those listed after them."""


@dataclass(frozen=True)
class Job:
    """One stage of one run, as its folder shows it."""

    run: Run
    stage: str
    folder: Path
    state: State
    running: Running | None = None
    """Of a job that runs."""
    failure: Failure | None = None

    @property
    def record(self) -> Path:
        return self.folder / LAST_RECORDS[self.stage]

    @property
    def log(self) -> Path:
        return self.folder / "logs" / f"{self.stage}.log"


def stages_of(plan: Plan, run: Run) -> list[str]:
    """The stages of a run. What screens a point is not compared; the base is not trained, nor held against itself."""
    trained = plan.point_of(run.id).method != BASE
    whole = run.rung is None
    asked = {
        "train": trained,
        "drift": trained and whole and plan.kl_from_base,
        "judge": trained and whole and plan.judge is not None,
        "reward": whole and plan.reward_model is not None,
    }
    return [stage for stage in LAST_RECORDS if asked.get(stage, True)]


def planned_jobs(study_directory: Path, plan: Plan, call: Process | None) -> list[Job]:
    """Every job of every planned run, rungs first, in the plan's order; `call` is the one that is at work, if any."""
    stopped = {
        point: decision.rung for decision in decisions(study_directory, plan) for point in stopped_points(decision)
    }
    jobs: list[Job] = []
    for run in (*plan.screening, *plan.runs):
        ended_at = stopped.get(run.point)
        is_stopped = ended_at is not None and (run.rung is None or run.rung > ended_at)
        jobs += _jobs_of(plan, run, run_directory(study_directory, run.id), is_stopped, call)
    return jobs


def _jobs_of(plan: Plan, run: Run, folder: Path, is_stopped: bool, call: Process | None) -> Iterator[Job]:
    broken = False
    for stage in stages_of(plan, run):
        job = _job(plan, run, stage, folder, call)
        if broken and job.state in ("waiting", "stopped"):
            job = Job(run, stage, folder, "held up")
        elif is_stopped and job.state == "waiting":
            job = Job(run, stage, folder, "stopped")
        broken = broken or (job.state == "failed" and stage not in _NEEDED_BY_NONE)
        yield job


def _job(plan: Plan, run: Run, stage: str, folder: Path, call: Process | None) -> Job:
    """A job by itself."""
    left = life_sign(plan, folder, stage, call)
    if isinstance(left, Running):
        return Job(run, stage, folder, "running", running=left)
    if left:
        return Job(run, stage, folder, "failed", failure=left)
    record = folder / LAST_RECORDS[stage]
    if left_empty(record):
        return Job(run, stage, folder, "stopped")
    return Job(run, stage, folder, "done" if record.exists() else "waiting")


def life_sign(plan: Plan, folder: Path, stage: str, call: Process | None) -> Running | Failure | None:
    """The process that runs a stage in a folder, or why the last one failed, unless the call will try it again.

    What is gone or half written at this moment is passed over: the next look will tell.
    """
    lock, trouble = folder / f"running-{stage}.json", folder / f"failure-{stage}.json"
    with suppress(OSError, ValueError):
        if lock.exists() and is_held(lock):
            return Running.read(lock)
        if _stands(lock, call):
            return silent_death(lock, plan.study)
        if _stands(trouble, call):
            return Failure.read(trouble)
    return None


def _stands(left_behind: Path, call: Process | None) -> bool:
    """Whether a file tells of a failure: older ones than the call at work are of jobs that it has yet to try again."""
    return left_behind.exists() and (call is None or left_behind.stat().st_mtime >= call.began.timestamp())
