"""One call of Snakemake at a time works on a study. It holds a lock of the kernel, which ends with it in any case.

Snakemake's own lock is a file that a killed call leaves behind, for somebody to remove; the profiles do without it.
"""

import atexit
import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from prefsweep.failures import StageError
from prefsweep.lifetime import Process, now, write_held

_ATTEMPTS, _MOMENT_SECONDS = 6, 0.1
_LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
"""File systems that one kernel at a time has mounted: whoever held a lock there under another one is gone."""


class Caller(Process):
    """`logs/caller.json` in a study's folder: the call that works on the study, or the last one that did."""

    ended: str | None = None
    """In UTC, to the second; None while it lives, and for ever if it was killed."""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started} UTC"


class Turn:
    """One call's turn at its studies. Whoever had the last one is noted before jobs are chosen, and `take` compares.

    Jobs that were chosen while another call was at work would be done twice.
    """

    def __init__(self, studies: Iterable[Path]) -> None:
        files = (study / "logs" / "caller.json" for study in studies)
        self._before = {file: (_last(file), _is_held(file)) for file in files}

    @property
    def others(self) -> bool:
        """Whether another call was at work when this one looked."""
        return any(held for _, held in self._before.values())

    def take(self) -> None:
        """Hold every study until this process ends. Raises StageError("config") that names who has one."""
        for file, (before, held) in self._before.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = _lock(file)
            last = _last(file)
            if held or last != before:
                os.close(descriptor)
                raise _in_use(file, f"was in use by {last} until now", "Run the same command again.")
            write_held(descriptor, caller := Caller.this())
            atexit.register(_say_ended, descriptor, caller)


def at_work(study: Path) -> Caller | None:
    """The call that works on a study, as far as can be seen from here; whoever asks disturbs nobody."""
    file = study / "logs" / "caller.json"
    last = _last(file)
    if last is None or last.ended:
        return None
    return last if _is_held(file) or not _is_gone(last, file, locks=True) else None


def _say_ended(descriptor: int, caller: Caller) -> None:
    write_held(descriptor, caller.model_copy(update={"ended": now()}))


def _last(file: Path) -> Caller | None:
    try:
        return Caller.read(file)
    except (OSError, ValueError):  # none yet, or cut off by the end of a machine
        return None


def _is_held(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # not there, or without locks
        return False
    return False


def _lock(file: Path) -> int:
    """A descriptor that holds the file, which this process never closes. Raises StageError if it may be another's."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        locks = _flock(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        last = _last(file)
        stop = f"Wait for it, or stop it (kill -INT {last.pid})" if last else "Wait for it"
        remedy = f"{stop}; then run the same command again."
        raise _in_use(file, f"is in use by {last or 'another process'}", remedy) from None
    last = _last(file)
    if last and not last.ended and not _is_gone(last, file, locks):
        os.close(descriptor)
        remedy = f"If that call runs no more, remove {file} and run the same command again."
        raise _in_use(file, f"is in use by {last}, as far as can be seen from here", remedy)
    return descriptor


def _flock(descriptor: int) -> bool:
    """Whether the file system has locks. Raises BlockingIOError if another process keeps this one.

    A call that only looks holds it for a moment, and one that has just taken it needs one to say who it is.
    """
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_MOMENT_SECONDS)
        except OSError:
            return False
        else:
            break
    return True


def _is_gone(last: Caller, file: Path, locks: bool) -> bool:
    """Whether it is proven that a call which never said that it ended runs no more, when nobody holds its lock."""
    if last.host_restarted() or (locks and (last.on_this_kernel() or _is_local(file))):
        return True
    return not locks and last.on_this_kernel() and not psutil.pid_exists(last.pid)


def _is_local(file: Path) -> bool:
    resolved = file.resolve()
    around = [mount for mount in psutil.disk_partitions(all=True) if resolved.is_relative_to(mount.mountpoint)]
    return bool(around) and max(around, key=lambda mount: len(mount.mountpoint)).fstype in _LOCAL


def _in_use(file: Path, how: str, remedy: str) -> StageError:
    return StageError("config", f"{file.parents[1]} {how}.", remedy)
