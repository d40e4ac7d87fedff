"""How far a study is: what `scripts/progress.py --json` prints, and what its tables are made of."""

from typing import Literal

from prefsweep.caller import Caller
from prefsweep.failures import FailureClass
from prefsweep.records.base import Record

Basis = Literal["finished runs", "other studies' runs", "first guess", "unknown"]
"""What a job's time is known from: finished jobs of its stage here, or the plan's estimate, or nothing yet."""


class StageProgress(Record):
    """The jobs of one stage; of a screened study, at one rung or to the end."""

    rung: int | None
    """None of runs that go to the end."""
    stage: str
    done: int
    running: int
    failed: int
    held_up: int
    """They need what a failed stage of their run would have left."""
    waiting: int
    stopped: int
    """Their points were behind in screening."""
    job_seconds: float | None
    """What a job takes: the median of those that finished, or what is expected of the others."""
    basis: Basis

    @property
    def expected(self) -> int:
        """Jobs that have to be done: all but those that were stopped."""
        return self.done + self.running + self.failed + self.held_up + self.waiting


class RunningJob(Record):
    """A job that holds its lock."""

    run: str
    label: str
    """Of its point; empty where the job is about no run."""
    stage: str
    host: str
    slurm_job: str | None
    elapsed_seconds: float
    step: int | None = None
    """Of a training: optimiser steps made, as the trainer last logged."""
    last_step: int | None = None
    step_seconds: float | None = None
    remaining_seconds: float | None = None
    """None where nothing is known of such a job."""
    last_line: str
    """Of its log; empty of a training whose step is known."""


class FailedJob(Record):
    """A job that ended without its result; the same command tries it again."""

    run: str
    label: str
    stage: str
    failure: FailureClass
    message: str
    remedy: str
    log: str
    """The stage's log, from where the study's folder was named."""


class StudyProgress(Record):
    """A study at one moment, from nothing but what lies in its folder."""

    study: str
    prepared: bool
    """The data are checked and split."""
    finished: bool
    """Every job that can be done is, and the report is made of them."""
    caller: Caller | None
    """The call that is at work on it, as far as can be seen from here."""
    call_seconds: float | None
    """Since that call began."""
    stages: list[StageProgress]
    running: list[RunningJob]
    failed: list[FailedJob]
    decisions_made: int
    decisions_planned: int
    """Of halving: at each rung one about who goes on."""
    remaining_seconds: float | None
    """Of the jobs that are left and whose stages are known, one after the other; None while none is."""
    unknown_stages: list[str]
    """Stages with jobs left that were not estimated and of which none has finished."""
    first_guess: bool
    """Whether some of it rests on first guesses."""
