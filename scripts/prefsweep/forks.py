"""A fork of this process that runs a script, for whom everything is loaded already that is loaded here."""

import contextlib
import ctypes
import os
import runpy
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
STANDARD = (0, 1, 2)
"""stdin, stdout and stderr."""


class Process(Protocol):
    """What this library needs of a process it has started; `subprocess.Popen` has it."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...


class Fork:
    """A child that runs a script with arguments, in a session of its own; used as `subprocess.Popen` is.

    It ends with this process. Of the files that are open here it has stdout and stderr alone: no locks.
    """

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            detach(frozenset(STANDARD))
            become(argv, environment)

    def poll(self) -> int | None:
        """The exit status, negative for a signal, once it has ended."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status. Raises subprocess.TimeoutExpired after so many seconds."""
        if self.returncode is None:
            watch = os.pidfd_open(self.pid)
            try:
                if not select.select([watch], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            finally:
                os.close(watch)
        status = self.poll()
        assert status is not None
        return status


def die_with_parent() -> None:
    """From now on this process gets SIGTERM when the one that started it ends, however it does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def detach(kept: frozenset[int]) -> None:
    """In a fork: a session of its own, which ends with its parent, and none of its files but these."""
    os.setsid()
    die_with_parent()
    for other in open_descriptors() - kept:
        os.close(other)


def open_descriptors() -> frozenset[int]:
    """The numbers of this process's open files."""
    listed = list(Path("/proc/self/fd").iterdir())
    return frozenset(int(one.name) for one in listed if one.is_symlink())  # the listing's own is no longer


def become(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """In a fork: run a script with its arguments and this environment, as Python would, and exit as it does."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_NAME, Path(argv[0]).name.encode())  # what `ps` and `top` call it
    os.environ.clear()
    os.environ.update(environment)
    if "torch" in sys.modules and (threads := environment.get("OMP_NUM_THREADS")):
        sys.modules["torch"].set_num_threads(int(threads))  # which has read the variable long ago
    status: Any = 1
    sys.argv = list(argv)
    try:
        runpy.run_path(argv[0], run_name="__main__")
        status = 0
    except SystemExit as error:
        status = error.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status & 0xFF)  # threads of an engine may trip over each other on the way out
