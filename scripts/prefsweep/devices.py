"""What a job computes on: real device ids, handed out by locks of the kernel, which end with whoever holds them.

Every job on this machine asks here, whichever study or user started it, so that a timed generation is beside nothing
else and small trainings share a device only when their study says so. On the CPU the whole processor is one device.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from prefsweep.failures import StageError
from prefsweep.plan import Device

LOCKS = Path("/dev/shm/prefsweep-devices")
"""Memory that containers share with their host, and with one another, under `--ipc=host`."""
_POLL_SECONDS = 0.5


@contextmanager
def claimed(device: Device, *, count: int = 1, together: int | None = 1, locks: Path = LOCKS) -> Iterator[list[str]]:
    """Wait for `count` devices, hold them, and let CUDA see no others; yields their ids (`["cpu"]` on the CPU).

    `together` is how many jobs may compute on one device at once: 1 is alone, None is no limit; a job that is alone
    waits for all others. On the CPU there is one device, whatever `count` says. Devices that CUDA_VISIBLE_DEVICES
    leaves out, as a cluster's scheduler sets it, are never taken. Raises StageError("config") when there are too few.
    """
    candidates, count = (_visible_gpus(), count) if device == "cuda" else ({"cpu": "cpu"}, 1)
    if len(candidates) < count:
        raise StageError(
            "config",
            f"the job computes on {count} GPUs, and {len(candidates)} are visible",
            "Ask for fewer GPUs, or show it more with CUDA_VISIBLE_DEVICES.",
        )
    with ExitStack() as held:
        chosen = _wait(candidates, count, together, locks, held)
        if device == "cuda":
            os.environ |= {"CUDA_VISIBLE_DEVICES": ",".join(chosen), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        yield chosen


def _visible_gpus() -> dict[str, str]:
    """Id → UUID of the GPUs this job may use; an id is what CUDA_VISIBLE_DEVICES calls it, a number or a UUID."""
    query = ["nvidia-smi", "--query-gpu=index,uuid", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    uuids = dict(line.split(", ") for line in answer.split("\n") if line)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    ids = list(uuids) if visible is None else [name.strip() for name in visible.split(",") if name.strip()]
    return {name: uuids.get(name, name) for name in ids}


def _wait(candidates: dict[str, str], count: int, together: int | None, locks: Path, held: ExitStack) -> list[str]:
    with _for_everyone():
        locks.mkdir(mode=0o1777, parents=True, exist_ok=True)
    if locks.is_symlink():
        raise _not_ours(locks)
    said = False
    while True:
        with ExitStack() as tried:
            chosen: list[str] = []
            for name, key in candidates.items():
                if len(chosen) < count and _take(locks / key, together, tried):
                    chosen.append(name)
            if len(chosen) == count:
                held.enter_context(tried.pop_all())
                return chosen
        if not said:
            print(f"waiting for {' or '.join(candidates)}: other jobs compute there", file=sys.stderr, flush=True)
            said = True
        time.sleep(_POLL_SECONDS)


def _take(device: Path, together: int | None, held: ExitStack) -> bool:
    """Lock a device without waiting: alone, or with others and then in one of so many places."""
    with ExitStack() as tried:
        if not _lock(device, fcntl.LOCK_EX if together == 1 else fcntl.LOCK_SH, tried):
            return False
        places = (device.with_name(f"{device.name}.{place}") for place in range(together or 0))
        if together in (1, None) or any(_lock(place, fcntl.LOCK_EX, tried) for place in places):
            held.enter_context(tried.pop_all())
            return True
        return False


def _lock(file: Path, kind: int, held: ExitStack) -> bool:
    descriptor = _opened(file)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    held.callback(os.close, descriptor)
    return True


def _opened(file: Path) -> int:
    """A lock's descriptor; the lock is made if it is not there.

    Every user can write to this folder: what a link of somebody else's leads to is neither opened nor made.
    """
    plainly = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with _for_everyone(), suppress(FileExistsError):
        os.close(os.open(file, plainly | os.O_CREAT | os.O_EXCL, 0o644))
    try:
        return os.open(file, plainly)
    except OSError:
        raise _not_ours(file) from None


def _not_ours(path: Path) -> StageError:
    what = f"{path} is a link or cannot be read, and prefsweep's locks are plain files for every user"
    return StageError("config", what, "See whose it is, and remove it.")


@contextmanager
def _for_everyone() -> Iterator[None]:
    """What is made here may be used by every user."""
    mask = os.umask(0)
    try:
        yield
    finally:
        os.umask(mask)
