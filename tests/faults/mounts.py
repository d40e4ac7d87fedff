"""File systems of our own, mounted for as long as a test needs them, and machines whose start has a name."""

import os
import subprocess
import sys
import uuid
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


BEGIN = 'hostname "$0" && mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'
"""What a machine does when it starts: `$0` is its name, `$1` holds the boot id, the rest is the command."""


@contextmanager
def started(
    host: str, command: list[str], folder: Path, environment: dict[str, str], said: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A command on a machine that has just been started; it and all that it started end at once with the block."""
    boot = said.with_suffix(".boot")
    boot.write_text(f"{uuid.uuid4()}\n")
    machine = ["unshare", "--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with said.open("wb") as output:
        process = subprocess.Popen(
            [*machine, "sh", "-c", BEGIN, host, str(boot), *command],
            cwd=folder,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
