"""A network file system: `python -m tests.faults.slow_disk DIRECTORY MOUNT SECONDS CACHED`.

Whatever concerns a name, and what makes a file's content known to others, takes so many seconds more. For CACHED
seconds a mount believes what it was told of names and files, also that there is none, whatever other mounts do. A lock
is known where it was taken, and nowhere else.
"""

import os
import sys
import time
from pathlib import Path

from mfusepy import FUSE

from tests.faults.passing_disk import PassingDisk


class SlowDisk(PassingDisk):
    """Everything as it is in the directory, later."""

    def __init__(self, directory: Path, seconds: float) -> None:
        super().__init__(directory)
        self._seconds = seconds

    def at(self, name: str) -> Path:
        time.sleep(self._seconds)
        return super().at(name)

    def flush(self, path: str, fh: int) -> None:
        time.sleep(self._seconds)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        time.sleep(self._seconds)


if __name__ == "__main__":
    os.umask(0)  # the kernel has applied the caller's
    directory, mount, seconds, cached = sys.argv[1:]
    caches = {f"{what}_timeout": cached for what in ("attr", "entry", "negative")}
    FUSE(SlowDisk(Path(directory), float(seconds)), mount, foreground=True, use_ino=True, **caches)
