"""Failures with a class: what went wrong, whose fault it is, what to do, kept beside the run for the report."""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from prefsweep.lifetime import Running, running
from prefsweep.records.base import Record
from prefsweep.slurm_job import time_limit_reached

FailureClass = Literal[
    "config", "data", "model", "oom", "nan", "no_effect", "timeout", "killed", "disk", "network",
    "server_crash", "wrong_model", "score", "internal",
]  # fmt: skip

_REMEDIES: dict[FailureClass, str] = {
    "config": "Correct the study file and run the same command again.",
    "data": "Correct or drop the rows named above and run the same command again.",
    "model": "Check the model's files (config.json, *.safetensors, tokenizer) against their source.",
    "oom": "Lower train.batch_size or train.max_length, or give the job more memory.",
    "nan": "Lower the learning rate, or train in float32.",
    "no_effect": "The adapter changed nothing: check the learning rate, the epochs and the data.",
    "timeout": "Look at the log's last lines; raise the limit if the stage was still progressing.",
    "killed": "Something outside prefsweep ended it, such as a memory limit; run the same command again.",
    "disk": "Free disk space and run the same command again.",
    "network": "Check the network or fetch the files beforehand, then run the same command again.",
    "server_crash": "Look at the server's log; lower generate.concurrency or give it more memory.",
    "wrong_model": "Something else answered in the server's place: stop other servers and run again.",
    "score": "The task could not be scored: look at the log's last lines.",
    "internal": "This is a bug in prefsweep: please report it with the log.",
}


RUNG = "/rung-"
"""Between the id of a run and the number of a rung, in the id of a run that only screens its point."""
STOPPED_BY_ITSELF = 3
"""The exit status of such a run when it failed for reasons of its own."""
_FROM_OUTSIDE = frozenset({"config", "killed", "disk", "network"})

_OUT_OF_MEMORY = ("out of memory", "allocate memory", "not enough memory")
_OUT_OF_SPACE = ("no space left on device", "disk quota exceeded")
"""What engines say in exceptions of their own: torch's allocators, safetensors and torch as they write files."""
_ROOM_BYTES = 32 << 10
"""More than a failure's record takes."""
_LAST_LINES = 12
_TAIL_BYTES = 1 << 16


class Failure(Record):
    """`failure-<stage>.json`: why a run stopped; it is removed when the stage is tried again."""

    run: str
    stage: str
    failure: FailureClass
    message: str
    remedy: str
    last_lines: list[str]


class StageError(Exception):
    """A failure whose class is known. `remedy` replaces the class's general advice."""

    def __init__(self, failure: FailureClass, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.failure: FailureClass = failure
        self.remedy = remedy or _REMEDIES[failure]


def classify(error: BaseException) -> tuple[FailureClass, str]:
    """The class of any exception and what to do about it."""
    if isinstance(error, StageError):
        return error.failure, error.remedy
    text = str(error).lower()
    failure: FailureClass = "internal"
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT) or any(words in text for words in _OUT_OF_SPACE):
        failure = "disk"
    elif isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY):
        failure = "oom"
    elif isinstance(error, KeyboardInterrupt | SystemExit):
        failure = "killed"
    elif isinstance(error, TimeoutError):
        failure = "timeout"
    return failure, _REMEDIES[failure]


def silent_death(path: Path, study: str) -> Failure:
    """The failure of a stage whose `running-<stage>.json` nobody holds: what is known of a process that said nothing.

    `study` is the study's folder below `results/`: a cluster's logs are named after it and the run.

    Raises ValueError when the file is not one of ours.
    """
    dead = Running.read(path)
    failure: FailureClass = "oom" if dead.memory_ran_out() else "killed"
    job = f", Slurm job {dead.slurm_job}" if dead.slurm_job else ""
    message = f"killed without a word on {dead.host} (process {dead.pid}, started {dead.started} UTC{job})"
    remedy = _REMEDIES[failure]
    if failure == "oom":
        message += "; meanwhile the kernel there ended a process for want of memory"
    elif dead.host_restarted():
        message += "; the machine has been started again since"
    elif dead.slurm_job:
        named = f"{study}_{dead.run.replace('/seed-', '_')}".replace("/", "_")
        log = f"results/slurm-logs/rule_{dead.stage}/{named}/{dead.slurm_job}.log"
        remedy = f"{log} says why: raise mem_mb or runtime in the profile if it was a limit, then run the same command."
    return Failure(
        run=dead.run,
        stage=dead.stage,
        failure=failure,
        message=message,
        remedy=remedy,
        last_lines=_last_lines(path.parent, dead.stage),
    )


def unreadable(run: str, what: str, where: str, error: Exception) -> Failure:
    """The failure of a run of which the report cannot read what some stage has left in a folder."""
    return Failure(
        run=run,
        stage="compare",
        failure="internal",
        message=f"{what} cannot be read: {str(error).splitlines()[0]}",
        remedy=f"Remove {what} from {where} and run the same command again.",
        last_lines=str(error).splitlines()[-_LAST_LINES:],
    )


def failure_of(run: Path) -> Failure | None:
    """Why the run in this folder failed, if it did."""
    return next((Failure.read(path) for path in sorted(run.glob("failure-*.json"))), None)


def _last_lines(directory: Path, stage: str) -> list[str]:
    """Of the stage's log; none where it has none."""
    log = directory / "logs" / f"{stage}.log"
    if not log.exists():
        return []
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return stream.read().decode(errors="replace").splitlines()[-_LAST_LINES:]


def terminated() -> StageError:
    """What SIGTERM means here and now, to this process or to one that it started."""
    if time_limit_reached():
        remedy = "Raise the stage's runtime in the Slurm profile and run the same command again."
        return StageError("timeout", "Slurm ended the job at its time limit", remedy)
    return StageError("killed", "stopped by SIGTERM")


def _raise_terminated(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Slurm sends it twice
    raise terminated()


def _status(run: str, failure: FailureClass) -> int:
    return STOPPED_BY_ITSELF if RUNG in run and failure not in _FROM_OUTSIDE else 1


@contextmanager
def recorded(run: str, stage: str, directory: Path) -> Iterator[None]:
    """Run a stage; leave `failure-<stage>.json` in `directory` if it fails, and exit with status 1.

    The record keeps the last lines of the log, which is where stderr goes; a traceback is among them if nobody foresaw
    the failure. The room that the record takes is kept free from the beginning, because a disk may be full at the end.
    A stage that is killed cannot leave the record: `silent_death` makes it from what `running` left.

    A run that only screens its point exits with `STOPPED_BY_ITSELF` instead when its own doing ended it: the decision
    about the other points does not wait for it (see screening.py).
    """
    record, room = directory / f"failure-{stage}.json", directory / f".room-{stage}"
    with running(run, stage, directory):
        record.unlink(missing_ok=True)
        previous = signal.signal(signal.SIGTERM, _raise_terminated)
        try:
            room.write_bytes(os.urandom(_ROOM_BYTES))
            yield
        except BaseException as error:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # nothing interrupts the record
            failure = _told(run, stage, directory, error)
            room.unlink(missing_ok=True)
            failure.write(record)
            raise SystemExit(_status(run, failure.failure)) from error
        finally:
            room.unlink(missing_ok=True)
            signal.signal(signal.SIGTERM, previous)


def _told(run: str, stage: str, directory: Path, error: BaseException) -> Failure:
    """What the record says of an error; the log says it, too."""
    failure, remedy = classify(error)
    lines = [] if isinstance(error, StageError) else traceback.format_exception(error)
    _say("".join(lines))
    message = str(error) or type(error).__name__
    last_lines = _last_lines(directory, stage) or "".join(lines).splitlines()[-_LAST_LINES:]
    _say(f"\n{run}: {stage} failed ({failure}): {message}\n  remedy: {remedy}\n")
    return Failure(run=run, stage=stage, failure=failure, message=message, remedy=remedy, last_lines=last_lines)


def _say(text: str) -> None:
    """To the log, if the disk has room for it."""
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()
