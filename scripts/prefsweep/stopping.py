"""What SIGINT and SIGTERM mean to a call: its jobs end now, no new one starts, the report is made.

Snakemake alone would wait for the jobs of this machine, which train for hours.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

import psutil

_POLL_SECONDS = 0.2
_STOP_SECONDS = 8.0
"""A stage stops its engine within 5 s and then says why it ended."""


class Stop:
    """A signal's way to the jobs, and to the exit status."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._jobs_are_over = threading.Event()

    def listen(self, *, local: bool) -> None:
        """From now on; `local` says whether jobs run on this machine, not on a cluster, which Snakemake cancels itself.

        Snakemake's own handler of SIGTERM must be in place: it is what keeps new jobs from starting.
        """
        self._start_no_more, self._local = signal.getsignal(signal.SIGTERM), local
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def jobs_are_over(self) -> None:
        """What is started from now on, such as a report, is ended no more."""
        self._jobs_are_over.set()

    def leave(self) -> None:
        """Exit with the status that a shell gives the signal, if there was one."""
        if self._signal:
            print(f"prefsweep: stopped by {signal.Signals(self._signal).name}. The same command continues.", flush=True)
            raise SystemExit(128 + self._signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        first, self._signal = self._signal is None, self._signal or number
        if not self._local:
            raise KeyboardInterrupt
        if first:
            # Not here: Snakemake's handler takes a lock that the very thread which is interrupted may hold.
            threading.Thread(target=self._end_jobs, args=(number, frame), daemon=True).start()

    def _end_jobs(self, number: int, frame: FrameType | None) -> None:
        assert callable(self._start_no_more)
        self._start_no_more(number, frame)
        told: dict[psutil.Process, float] = {}
        while not self._jobs_are_over.wait(_POLL_SECONDS):  # one may be starting at this moment
            for job in _jobs():
                with suppress(psutil.NoSuchProcess):
                    _end(job, told)


def _end(job: psutil.Process, told: dict[psutil.Process, float]) -> None:
    """SIGTERM first; SIGKILL, with all it has started, when that was some time ago."""
    if job not in told:
        told[job] = time.monotonic()
        job.terminate()
    elif time.monotonic() - told[job] > _STOP_SECONDS:
        for process in (*job.children(recursive=True), job):
            process.kill()


def _jobs() -> Iterator[psutil.Process]:
    """What the shells of this process run, or the shell where it has become that itself.

    Not the shells, which would end at once and seem to be done; nor what has a process group of its own, such as an
    engine: who started it ends it.
    """
    group = os.getpgrp()
    for shell in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            below = [one for one in shell.children(recursive=True) if os.getpgid(one.pid) == group]
            yield from below or [shell]
