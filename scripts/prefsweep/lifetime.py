"""Whether a stage still runs: it holds a lock of the kernel for as long as it lives, whatever ends it.

SIGKILL, which is how memory limits and the kernel's OOM killer end a process, and a power cut leave no time for a
record. What they leave is a file without its lock.
"""

import fcntl
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from prefsweep.records.base import Record
from prefsweep.slurm_job import job_id

_POLL_SECONDS = 0.5
_TIME = "%Y-%m-%d %H:%M:%S"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_KERNEL_COUNTERS = Path("/proc/vmstat")


class Process(Record):
    """One process of one start of one machine, as others find it in a file."""

    host: str
    boot: str
    """Names one start of the host's kernel; the same in all its containers."""
    pid: int
    started: str
    """In UTC, to the second."""

    @classmethod
    def this(cls, **further: Any) -> Self:
        """The process that asks."""
        return cls(host=platform.node(), boot=_boot(), pid=os.getpid(), started=now(), **further)

    @property
    def began(self) -> datetime:
        """`started` as a time."""
        return datetime.strptime(self.started, _TIME).replace(tzinfo=UTC)

    def on_this_kernel(self) -> bool:
        """Whether it was started by the kernel that runs here now, perhaps in another container."""
        return self.boot == _boot() != ""

    def host_restarted(self) -> bool:
        """Whether this is its machine, and it was started again since, as after a power cut."""
        return self.host == platform.node() and self.boot != _boot()


class Running(Process):
    """`running-<stage>.json`: the process that runs a stage; gone when the stage has ended in any ordinary way."""

    run: str
    stage: str
    slurm_job: str | None
    oom_kills: int | None
    """Processes that this kernel had ended for want of memory, if it counts them."""

    def memory_ran_out(self) -> bool:
        """Whether the kernel of this very machine ended a process for want of memory since the stage started."""
        counted = oom_kills()
        return self.boot == _boot() and None not in (self.oom_kills, counted) and counted != self.oom_kills


def now() -> str:
    """In UTC, to the second."""
    return datetime.now(UTC).strftime(_TIME)


def _boot() -> str:
    return _said_by_the_kernel(_BOOT).strip()


def oom_kills() -> int | None:
    """Counted since the kernel started, whether a cgroup's limit was reached or the machine's."""
    counters = dict(line.split() for line in _said_by_the_kernel(_KERNEL_COUNTERS).splitlines())
    return int(counters["oom_kill"]) if "oom_kill" in counters else None


def _said_by_the_kernel(file: Path) -> str:
    """Empty where a sandbox does not show the file."""
    try:
        return file.read_text(encoding="ascii")
    except OSError:
        return ""


@contextmanager
def running(run: str, stage: str, directory: Path) -> Iterator[None]:
    """Hold `running-<stage>.json` in the run's folder; wait while another process holds it: never two writers.

    Such a process is one that outlived a killed Snakemake. Where the file system has no locks one line says so.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"running-{stage}.json"
    descriptor = _hold(path)
    try:
        write_held(descriptor, Running.this(run=run, stage=stage, slurm_job=job_id(), oom_kills=oom_kills()))
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def write_held(descriptor: int, record: Record) -> None:
    """Into the locked file itself: a file that took its place would be another one, without the lock."""
    os.truncate(descriptor, 0)
    os.pwrite(descriptor, record.model_dump_json(indent=2).encode(), 0)
    os.fsync(descriptor)


def is_held(path: Path) -> bool:
    """Whether the process that wrote a `running-<stage>.json` may still live; so where nobody can tell."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # held; or gone since, or without locks
        return True
    return False


def _hold(path: Path) -> int:
    said = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            if not said:
                print(f"waiting: {_holder(path)}; if it does not, remove {path}", file=sys.stderr, flush=True)
                said = True
            time.sleep(_POLL_SECONDS)
            continue
        except OSError as error:
            print(f"no locks in {path.parent} ({error.strerror}): going on without", file=sys.stderr, flush=True)
            return descriptor
        # The former holder removes the file as it ends: a lock on a file that has gone keeps nobody away.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


def _holder(path: Path) -> str:
    try:
        holder = Running.read(path)
    except (OSError, ValueError):
        return "another process runs this stage"
    return f"{holder.stage} of {holder.run} runs on {holder.host} as process {holder.pid} since {holder.started} UTC"
