"""How far a study is, from its folder alone: from any machine that sees it, without changing anything."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median

from prefsweep.attestation import FILE
from prefsweep.caller import at_work
from prefsweep.failures import Failure
from prefsweep.job_log import last_line, last_logged
from prefsweep.job_times import JobTimes
from prefsweep.lifetime import Process, Running
from prefsweep.plan import BASE, Plan
from prefsweep.planned_jobs import LAST_RECORDS, Job, life_sign, planned_jobs
from prefsweep.records.progress import Basis, FailedJob, RunningJob, StageProgress, StudyProgress
from prefsweep.screening import decided_on, decisions

_BASES: tuple[Basis, ...] = ("unknown", "first guess", "other studies' runs", "finished runs")
"""The weakest first."""


def studies_below(folder: Path) -> list[Path]:
    """The studies a folder of results is about: itself, or one for each model and data set."""
    return [folder] if (folder / "plan.json").is_file() else sorted(path.parent for path in folder.glob("*/plan.json"))


def read_progress(study_directory: Path, now: datetime) -> StudyProgress:
    """Look at `results/<study>/`. Raises FileNotFoundError without a plan, ValueError when it is not this version's."""
    plan = Plan.read(study_directory / "plan.json")
    caller = at_work(study_directory)
    jobs = planned_jobs(study_directory, plan, caller)
    times = JobTimes.of(study_directory, plan, jobs)
    made = len(decisions(study_directory, plan))
    of_all = _of_the_study(study_directory, plan, caller)
    running = [_running_job(plan, times, job, now) for job in jobs if job.state == "running"]
    left, basis, unknown = _left(plan, times, jobs, running, made)
    return StudyProgress(
        study=plan.study,
        prepared=(study_directory / "data" / "data.json").exists(),
        finished=(study_directory / FILE).exists() and all(job.state in ("done", "stopped") for job in jobs),
        caller=caller,
        call_seconds=_since(caller, now) if caller else None,
        stages=_stages(times, jobs),
        running=[_running(found, "", log, now) for log, found in of_all if isinstance(found, Running)] + running,
        failed=[_failed(found, "", log) for log, found in of_all if isinstance(found, Failure)]
        + [_failed(job.failure, plan.point_of(job.run.id).label, job.log) for job in jobs if job.failure],
        decisions_made=made,
        decisions_planned=len(decided_on(plan)),
        remaining_seconds=left,
        unknown_stages=[stage for stage in LAST_RECORDS if stage in unknown],
        first_guess=basis == "first guess",
    )


def _of_the_study(study_directory: Path, plan: Plan, call: Process | None) -> list[tuple[Path, Running | Failure]]:
    """Jobs about no single run that are at work or have failed, each with its log."""
    data, rivals = study_directory / "data", study_directory / "rivals"
    logs = {
        (data, "prepare"): study_directory / "logs" / "prepare.log",
        (data, "describe"): study_directory / "logs" / "describe.log",
        (rivals, "judge"): rivals / "logs" / "judge.log",
    }
    signs = ((log, life_sign(plan, folder, stage, call)) for (folder, stage), log in logs.items())
    return [(log, found) for log, found in signs if found]


def _since(process: Process, now: datetime) -> float:
    """Seconds since a process began; none where another machine's clock is ahead."""
    return max(0.0, (now - process.began).total_seconds())


def _stages(times: JobTimes, jobs: Sequence[Job]) -> list[StageProgress]:
    grouped: dict[tuple[int | None, str], list[Job]] = {}
    for job in jobs:
        grouped.setdefault((job.run.rung, job.stage), []).append(job)
    order = list(LAST_RECORDS)
    stages = sorted(grouped, key=lambda key: (key[0] is None, key[0] or 0, order.index(key[1])))
    return [_stage(times, rung, stage, grouped[rung, stage]) for rung, stage in stages]


def _stage(times: JobTimes, rung: int | None, stage: str, jobs: Sequence[Job]) -> StageProgress:
    counts = Counter(job.state for job in jobs)
    expected = [times.expected(job.run, stage) for job in jobs if job.state != "stopped"]
    known = [seconds for seconds, _ in expected if seconds is not None]
    return StageProgress(
        rung=rung,
        stage=stage,
        done=counts["done"],
        running=counts["running"],
        failed=counts["failed"],
        held_up=counts["held up"],
        waiting=counts["waiting"],
        stopped=counts["stopped"],
        job_seconds=median(known) if known else None,
        basis=min((basis for _, basis in expected), key=_BASES.index, default="unknown"),
    )


def _running_job(plan: Plan, times: JobTimes, job: Job, now: datetime) -> RunningJob:
    assert job.running is not None
    found = _running(job.running, plan.point_of(job.run.id).label, job.log, now)
    if logged := last_logged(job.folder / "training") if job.stage == "train" else None:
        last_step = plan.last_step(job.run.id, logged.max_steps)
        steps = {"step": logged.step, "last_step": last_step, "step_seconds": logged.step_seconds, "last_line": ""}
        left = max(0.0, (last_step - logged.step) * logged.step_seconds)
        return found.model_copy(update={**steps, "remaining_seconds": left})
    expected, _ = times.expected(job.run, job.stage)
    left_of_it = None if expected is None else max(0.0, expected - found.elapsed_seconds)
    return found.model_copy(update={"remaining_seconds": left_of_it})


def _running(found: Running, label: str, log: Path, now: datetime) -> RunningJob:
    return RunningJob(
        run=found.run,
        label=label,
        stage=found.stage,
        host=found.host,
        slurm_job=found.slurm_job,
        elapsed_seconds=_since(found, now),
        last_line=last_line(log),
    )


def _failed(failure: Failure, label: str, log: Path) -> FailedJob:
    return FailedJob(
        run=failure.run,
        label=label,
        stage=failure.stage,
        failure=failure.failure,
        message=failure.message,
        remedy=failure.remedy,
        log=str(log),
    )


def _left(
    plan: Plan, times: JobTimes, jobs: Sequence[Job], running: Sequence[RunningJob], decisions_made: int
) -> tuple[float | None, Basis, set[str]]:
    """Seconds of the jobs that are left, one after the other, the weakest ground for them, and stages not known yet.

    Jobs that take seconds and leave no time, such as scoring, are left out. A point on which a rung has yet to decide
    counts with the chance that it goes on: the share of points that is kept. None when no stage is known.
    """
    basis = _BASES[-1]
    timed = [(one.stage, one.remaining_seconds) for one in running if one.stage != "score"]
    for job in jobs:
        if job.state == "waiting" and job.stage != "score":
            expected, known_from = times.expected(job.run, job.stage)
            timed.append((job.stage, None if expected is None else expected * _chance(plan, job, decisions_made)))
            basis = basis if expected is None else min(basis, known_from, key=_BASES.index)
    unknown = {stage for stage, seconds in timed if seconds is None}
    known = [seconds for _, seconds in timed if seconds is not None]
    return (sum(known) if known or not unknown else None), basis, unknown


def _chance(plan: Plan, job: Job, decisions_made: int) -> float:
    if plan.halving is None or plan.point_of(job.run.id).method == BASE:
        return 1.0
    needed = plan.halving.rungs if job.run.rung is None else job.run.rung - 1
    return float(plan.halving.keep ** max(0, needed - decisions_made))
