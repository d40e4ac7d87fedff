"""A network file system: each machine has its own mount, sees late what others do, and none of their locks."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.faults.calls import awaited
from tests.faults.mounts import ROOT, mounted, require_fuse, started
from tests.workflow.conftest import HANGING_SECONDS

LATENCY_SECONDS, CACHED_SECONDS = 0.01, 2
TAKES = """\
import sys, time
from pathlib import Path
from prefsweep.caller import Turn
from prefsweep.failures import StageError
try:
    Turn([Path(sys.argv[1])]).take()
except StageError as error:
    sys.exit(str(error))
print("taken", flush=True)
time.sleep(float(sys.argv[2]))
"""
"""A call, as far as its turn at a study is concerned, which it keeps for so many seconds."""


@pytest.fixture(scope="module")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The same directory, twice."""
    require_fuse()
    folder = tmp_path_factory.mktemp("slow")
    disk, first, second = folder / "disk", folder / "first", folder / "second"
    disk.mkdir()
    with (
        mounted("slow_disk", disk, first, str(LATENCY_SECONDS), str(CACHED_SECONDS)),
        mounted("slow_disk", disk, second, str(LATENCY_SECONDS), str(CACHED_SECONDS)),
    ):
        yield [first, second]


def test_the_disk_is_slow_and_a_mount_sees_late_what_another_does(mounts: list[Path]) -> None:
    first, second = (mount / "file" for mount in mounts)
    asked = time.monotonic()
    assert not second.exists()
    started_writing = time.monotonic()
    first.write_text("there")
    assert time.monotonic() - started_writing > LATENCY_SECONDS
    awaited(second.exists)
    assert time.monotonic() - asked > CACHED_SECONDS
    assert second.read_text() == "there"


def test_a_machine_that_cannot_see_anothers_lock_is_refused(mounts: list[Path], tmp_path: Path) -> None:
    """Also when the other is gone, which it cannot know. The other itself, started again, does."""
    first, second = (mount / "results" / "tiny" for mount in mounts)
    refusal = "by process 1 on node-1, since"
    with turn("node-1", first, tmp_path / "node-1") as holder:
        awaited(lambda: (tmp_path / "node-1").read_text() == "taken\n")
        awaited((second / "logs" / "caller.json").exists)
        assert refusal in answer("node-2", second, tmp_path / "node-2")
        assert holder.poll() is None
    assert refusal in answer("node-2", second, tmp_path / "node-2")
    assert answer("node-1", first, tmp_path / "node-1", seconds=0) == "taken\n"


def turn(host: str, study: Path, said: Path, seconds: int = 3600) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A call on a machine that has just been started: it takes a study if it can, and keeps it for so long."""
    command = [sys.executable, "-c", TAKES, str(study), str(seconds)]
    return started(host, command, said.parent, {"PYTHONPATH": str(ROOT / "scripts")}, said)


def answer(host: str, study: Path, said: Path, seconds: int = 3600) -> str:
    """What a call says that ends."""
    with turn(host, study, said, seconds) as call:
        call.wait(HANGING_SECONDS)
    return said.read_text()
