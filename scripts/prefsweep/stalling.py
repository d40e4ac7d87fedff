"""A process that hangs looks like one that works: how long it may show no sign of life before it is given up."""

import math
import os
import subprocess
import sys
import time
from pathlib import Path

from prefsweep.failures import StageError
from prefsweep.forks import Process

VARIABLE = "PREFSWEEP_STALL_SECONDS"
STALL_SECONDS = 900.0
"""Longer than the slowest step, answer or page of a log that anybody waits for with patience."""
_LOOKS = 50
"""At signs of life, within the time that none may show."""


def stall_seconds() -> float:
    """`STALL_SECONDS`, unless PREFSWEEP_STALL_SECONDS says otherwise. Raises StageError("config")."""
    written = os.environ.get(VARIABLE, "") or str(STALL_SECONDS)
    try:
        seconds = float(written)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise StageError("config", f"{VARIABLE} is {written!r}", "Give it a number of seconds above 0, or unset it.")
    return seconds


def wait_while_alive(process: Process, what: str, folder: Path) -> int:
    """The status of a process that has ended. A sign of life is a longer log or a file that changed below `folder`.

    The log is where this process's stderr goes. Raises StageError("timeout") when no sign showed for so long; the
    process still runs then.
    """
    limit = stall_seconds()
    seen, since = _signs(folder), time.monotonic()
    while True:
        try:
            return process.wait(timeout=limit / _LOOKS)
        except subprocess.TimeoutExpired:
            now = _signs(folder)
        if now != seen:
            seen, since = now, time.monotonic()
        elif time.monotonic() - since >= limit:
            raise StageError(
                "timeout",
                f"{what} showed no sign of life for {limit:g} s: nothing in its log, no file written",
                f"Look at the log's last lines; if it was only slow, set {VARIABLE} to more seconds and run again.",
            )


def _signs(folder: Path) -> tuple[int, int]:
    """The log's size, or 0 where it is no file, and the latest change below `folder`, in nanoseconds."""
    times = [folder.stat().st_mtime_ns]
    for path in folder.rglob("*"):
        try:
            times.append(path.stat().st_mtime_ns)
        except FileNotFoundError:  # a checkpoint that is rotated away meanwhile
            continue
    try:
        size = os.fstat(sys.stderr.fileno()).st_size
    except (OSError, ValueError):
        size = 0
    return size, max(times)
