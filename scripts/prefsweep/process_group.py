"""Processes a job starts and stops: a group of its own, which never outlives the job, however the job ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from prefsweep.credentials import without_secrets
from prefsweep.forks import Fork, Process, die_with_parent

_STOP_SECONDS = 5.0


@contextmanager
def process_group(
    argv: Sequence[str], environment: Mapping[str, str], output: IO[Any] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command as the leader of a new process group and stop the whole group on every way out.

    `environment` is added to this process's, of which it gets no secrets; stdout and stderr go to `output`, or where
    this process's go. What lies beside the command comes first in its PATH: engines that build kernels as they run look
    for their ninja there.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        env=_given(Path(argv[0]), environment),
        start_new_session=True,
        preexec_fn=die_with_parent,
    )
    with _stopped_in_the_end(process):
        yield process


@contextmanager
def forked_group(argv: Sequence[str], environment: Mapping[str, str]) -> Iterator[Process]:
    """The same of a script and its arguments, in a fork of this process, which has loaded what the script will load."""
    process = Fork(argv, _given(Path(sys.executable), environment))
    with _stopped_in_the_end(process):
        yield process


def _given(command: Path, added: Mapping[str, str]) -> dict[str, str]:
    return without_secrets() | {"PATH": f"{command.parent}:{os.environ['PATH']}"} | dict(added)


@contextmanager
def _stopped_in_the_end(process: Process) -> Iterator[None]:
    try:
        yield
    finally:
        with _uninterrupted():
            stop_group(process)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second signal, as when Ctrl-C reaches a job and Snakemake alike, must not leave the group behind."""
    if threading.current_thread() is not threading.main_thread():  # which alone gets signals
        yield
        return
    previous = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def stop_group(process: Process) -> None:
    """End a process and everything it started: SIGTERM first, SIGKILL for what is left after 5 s."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        if _group_gone(process, _STOP_SECONDS):
            break
    process.wait()


def _group_gone(process: Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        process.poll()
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
