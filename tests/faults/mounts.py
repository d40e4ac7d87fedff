"""File systems of our own, mounted for as long as a test needs them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.debian import NotInstallable, ensure
from tests.faults.calls import awaited

ROOT = Path(__file__).resolve().parents[2]
NEVER = -1
"""So many changes until the power is cut."""


def require_fuse() -> None:
    """Debian's libfuse; skips, saying why, where no file system can be mounted."""
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("mounting a file system takes root and /dev/fuse")
    try:
        ensure(["fusermount3"], ["fuse3"])
    except NotInstallable as reason:
        pytest.skip(str(reason))


@contextmanager
def mounted(program: str, directory: Path, mount: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A file system of this folder, shown at `mount` until the block ends and its process with it."""
    mount.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", f"tests.faults.{program}", str(directory), str(mount), *arguments]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        awaited(lambda: process.poll() is not None or os.path.ismount(mount))
        assert process.poll() is None
        yield process
    finally:
        subprocess.run(["umount", "--lazy", mount], check=False, stderr=subprocess.DEVNULL)
        process.wait()
