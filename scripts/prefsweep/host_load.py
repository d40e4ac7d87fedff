"""What else the machine did while answers were timed: the CPU time that neither the server nor its client took."""

import os
import time
from dataclasses import dataclass

import psutil

_NOT_WORK = {"idle", "iowait", "guest", "guest_nice"}
"""Fields of /proc/stat that are no work, or are counted under another name as well."""


@dataclass(frozen=True)
class CpuClock:
    """CPU seconds up to a moment, on the cores that this process may use."""

    now: float
    cores: int
    busy: float
    """Of everybody; time that a virtual machine's host gave to others is among it."""
    ours: float
    """Of this process and the process group of the server."""


def cpu_clock(group: int) -> CpuClock:
    """Read the clock; `group` is the server's process group."""
    usable = os.sched_getaffinity(0)
    cores = [times for number, times in enumerate(psutil.cpu_times(percpu=True)) if number in usable]
    busy = sum(seconds for times in cores for name, seconds in times._asdict().items() if name not in _NOT_WORK)
    ours = _seconds(psutil.Process()) + sum(_seconds(one) for one in psutil.process_iter() if _in_group(one, group))
    return CpuClock(time.perf_counter(), len(cores), busy, ours)


def other_cpu_share(before: CpuClock, after: CpuClock) -> float | None:
    """Share of the cores' time between two readings that others took; None where the system does not say."""
    busy = after.busy - before.busy
    if busy <= 0 or after.now <= before.now:
        return None
    others = busy - (after.ours - before.ours)
    return max(0.0, others) / (after.cores * (after.now - before.now))


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:  # it has just ended
        return 0.0
    return float(times.user + times.system)


def _in_group(process: psutil.Process, group: int) -> bool:
    try:
        return os.getpgid(process.pid) == group
    except ProcessLookupError:
        return False
