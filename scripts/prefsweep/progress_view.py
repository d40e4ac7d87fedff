"""Progress as a terminal shows it: what is done of each stage, what runs, what failed and where to look, time left."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from rich import box
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from prefsweep.job_log import readable
from prefsweep.records.progress import FailedJob, RunningJob, StageProgress, StudyProgress
from prefsweep.wording import count, joined

_BAR = 24
_MOST = 10
"""Running and failed jobs that are listed; of more, the first. `--json` has all."""
_GUESSED = "first guess"


def shown(progress: StudyProgress, now: datetime) -> RenderableType:
    """A study's tables and sentences; `now` in the zone in which times are told."""
    sentences = [Text(line) for line in (*_time_left(progress, now), *_decisions(progress))]
    tables = [_stage_table(progress.stages), *([_running_table(progress.running)] if progress.running else [])]
    return Group(_headline(progress), *sentences, *tables, *_failures(progress.failed))


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 05 min`, `3 d 04 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02} h"


def _headline(progress: StudyProgress) -> Text:
    stages = progress.stages
    done, expected = sum(stage.done for stage in stages), sum(stage.expected for stage in stages)
    told = [f"{done:,} of {count(expected, 'job')} done"]
    told += [f"{len(progress.running)} running"] if progress.running else []
    told += [f"{len(progress.failed)} failed"] if progress.failed else []
    told += [] if progress.prepared else ["the data are not prepared yet"]
    if progress.finished:
        told.append("the report is made")
    elif progress.call_seconds is not None:
        told.append(f"{duration(progress.call_seconds)} since the call began")
    elif not progress.running:
        told.append("no call is at work: the same command continues")
    return Text.assemble((progress.study, "bold"), ": ", " · ".join(told))


def _stage_table(stages: Sequence[StageProgress]) -> Table:
    """A row for each stage; of a screened study, for each stage at each rung."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    screened = any(stage.rung is not None for stage in stages)
    columns = _columns(stages)
    for heading in (["run to"] if screened else []) + ["stage", "", "done"]:
        table.add_column(heading, justify="right" if heading == "done" else "left")
    for heading in (*columns, "a job takes"):
        table.add_column(heading, justify="right")
    previous: int | None = 0
    for stage in stages:
        end = "the end" if stage.rung is None else f"rung {stage.rung}"
        first = [end if stage.rung != previous else ""] if screened else []
        previous = stage.rung
        bar = ProgressBar(total=max(1, stage.expected), completed=stage.done, width=_BAR)
        counts = [str(getattr(stage, column.replace(" ", "_")) or "") for column in columns]
        table.add_row(*first, stage.stage, bar, f"{stage.done}/{stage.expected}", *counts, _job_time(stage))
    return table


def _columns(stages: Iterable[StageProgress]) -> list[str]:
    """Those that always are there, and others where there is something to tell."""
    listed = list(stages)
    rare = {"held up": "held_up", "stopped": "stopped"}
    there = [column for column, key in rare.items() if any(getattr(stage, key) for stage in listed)]
    return ["running", "failed", *there, "waiting"]


def _job_time(stage: StageProgress) -> str:
    if stage.job_seconds is None:
        return "?" if stage.stage != "score" else "seconds"
    return f"{'~' if stage.basis == _GUESSED else ''}{duration(stage.job_seconds)}"


def _decisions(progress: StudyProgress) -> list[str]:
    if not progress.decisions_planned:
        return []
    planned = count(progress.decisions_planned, "decision")
    left = progress.decisions_made < progress.decisions_planned
    told = f"halving: {progress.decisions_made} of {planned} made about which points go on"
    return [f"{told}; what waits beyond them may yet be stopped" if left else told]


def _running_table(running: Sequence[RunningJob]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title="running", title_justify="left")
    for heading in ("stage", "run", "for", "where it is", "left", "on"):
        table.add_column(heading, overflow="fold")
    for job in running[:_MOST]:
        where = f"{job.host}, Slurm job {job.slurm_job}" if job.slurm_job else job.host
        elapsed, left = duration(job.elapsed_seconds), _left(job.remaining_seconds)
        table.add_row(job.stage, _named(job), elapsed, Text(_position(job)), left, Text(where))
    if len(running) > _MOST:
        table.add_row("", f"and {len(running) - _MOST} more")
    return table


def _left(seconds: float | None) -> str:
    """Of a job that takes longer than others did nothing is known but that."""
    return "?" if seconds is None else duration(seconds) if seconds else "any moment"


def _named(job: RunningJob | FailedJob) -> Text:
    """The point's label, and which of its runs; of a job about no single run, what it calls itself."""
    if not job.label:
        return Text(job.run)
    which = job.run.partition("/")[2].replace("-", " ").replace("/", ", ")
    return Text(f"{readable(job.label)}, {which}")


def _position(job: RunningJob) -> str:
    if job.step is None:
        return job.last_line
    return f"step {job.step:,} of {job.last_step:,}, {job.step_seconds:.1f} s each"


def _failures(failed: Sequence[FailedJob]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for job in failed[:_MOST]:
        head = Text.assemble(
            (f"failed: {job.stage} of ", "red"), _named(job), f": {job.failure}: {readable(job.message)}"
        )
        parts.append(Group(head, Text(f"  {job.remedy}\n  {job.log}")))
    if len(failed) > _MOST:
        parts.append(Text(f"and {len(failed) - _MOST} more failed"))
    return parts


def _time_left(progress: StudyProgress, now: datetime) -> list[str]:
    """How long it takes yet, and what that rests on."""
    if progress.finished:
        return []
    lines = []
    if progress.unknown_stages and not progress.remaining_seconds:
        lines.append("time left: unknown until a job has finished")
    elif progress.remaining_seconds:
        at_a_time = max(1, len(progress.running))
        wall = progress.remaining_seconds / at_a_time
        beside = f"{at_a_time} jobs at a time, as now" if at_a_time > 1 else "one job at a time"
        done = f"; done about {_when(now + timedelta(seconds=wall), now)}" if progress.running else ""
        if progress.unknown_stages:
            done = f", not counting {joined(progress.unknown_stages)}: no such job has finished yet"
        lines.append(f"time left: about {_roughly(wall)}, {beside}{done}")
    if progress.first_guess:
        lines.append("~ a first guess, from the model's size: no such job has finished yet (docs/plan.md)")
    if progress.caller and not progress.running:
        lines.append("no job runs at this moment: they wait in a cluster's queue, or the next one is about to start")
    return lines


def _roughly(seconds: float) -> str:
    """No seconds where there are minutes."""
    return duration(seconds) if seconds < 60 else duration(60 * round(seconds / 60)).removesuffix(" 00 s")


def _when(then: datetime, now: datetime) -> str:
    return f"{then:%H:%M}" if then.date() == now.date() else f"{then:%H:%M, %d %B}"
