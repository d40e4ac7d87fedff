"""Devices are handed out once, by locks that a kill -9 releases."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefsweep.devices import claimed
from prefsweep.failures import StageError

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
NVIDIA_SMI = "#!/bin/sh\nprintf '0, GPU-aa\\n1, GPU-bb\\n2, GPU-cc\\n'\n"
JOB = """
import os, sys, time
from pathlib import Path
from prefsweep.devices import claimed
log, locks, together, seconds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
with claimed("cuda", together=together, locks=locks) as (device,):
    assert os.environ["CUDA_VISIBLE_DEVICES"] == device
    with log.open("a") as stream:
        stream.write(f"{time.monotonic()} + {device} {together}\\n")
    time.sleep(seconds)
    with log.open("a") as stream:
        stream.write(f"{time.monotonic()} - {device} {together}\\n")
"""


class Machine:
    """Three GPUs, as far as nvidia-smi says, and a log of who computed where and when."""

    def __init__(self, folder: Path) -> None:
        self.log, self.locks = folder / "log", folder / "locks"
        (folder / "nvidia-smi").write_text(NVIDIA_SMI)
        (folder / "nvidia-smi").chmod(0o755)
        self.environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(SCRIPTS)}
        self.environment.pop("CUDA_VISIBLE_DEVICES", None)
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, together: int, seconds: float, **environment: str) -> subprocess.Popen[bytes]:
        arguments = [str(self.log), str(self.locks), str(together), str(seconds)]
        command = [sys.executable, "-c", textwrap.dedent(JOB), *arguments]
        process = subprocess.Popen(command, env=self.environment | environment)
        self.started.append(process)
        return process

    def finish(self) -> None:
        assert [process.wait(timeout=60) for process in self.started] == [0] * len(self.started)

    def most_at_once(self) -> dict[str, int]:
        """Device → the largest number of jobs that computed on it at the same time."""
        now: dict[str, int] = {}
        most: dict[str, int] = {}
        for line in sorted(self.log.read_text().splitlines(), key=lambda line: float(line.split()[0])):
            _, sign, device, _ = line.split()
            now[device] = now.get(device, 0) + (1 if sign == "+" else -1)
            most[device] = max(most.get(device, 0), now[device])
        return most


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.wait()


def test_many_jobs_never_share_a_device_unasked(machine: Machine) -> None:
    for _ in range(9):
        machine.start(together=1, seconds=0.3)
    machine.finish()
    assert machine.most_at_once() == {"0": 1, "1": 1, "2": 1}


def test_small_trainings_share_a_device_and_a_timed_job_does_not(machine: Machine) -> None:
    only = {"CUDA_VISIBLE_DEVICES": "1"}
    for _ in range(4):
        machine.start(together=2, seconds=1, **only)
    machine.finish()
    assert machine.most_at_once() == {"1": 2}
    machine.log.unlink()
    for together in (2, 1, 2):
        machine.start(together=together, seconds=0.5, **only)
        time.sleep(0.2)
    machine.finish()
    order = [
        f"{sign}{together}" for _, sign, _, together in map(str.split, sorted(machine.log.read_text().splitlines()))
    ]
    assert len(order) == 6
    assert order.index("-1") == order.index("+1") + 1, "something ran beside the job that wants to be alone"


def test_a_killed_job_gives_its_device_back(machine: Machine) -> None:
    only = {"CUDA_VISIBLE_DEVICES": "2"}
    killed = machine.start(together=1, seconds=600, **only)
    while not machine.log.exists():
        time.sleep(0.05)
    waiting = machine.start(together=1, seconds=0, **only)
    time.sleep(1)
    assert waiting.poll() is None
    killed.kill()
    assert waiting.wait(timeout=20) == 0


def test_names_by_uuid_mean_the_same_device(machine: Machine) -> None:
    machine.start(together=1, seconds=0.5, CUDA_VISIBLE_DEVICES="GPU-bb")
    machine.start(together=1, seconds=0.5, CUDA_VISIBLE_DEVICES="1")
    machine.finish()
    moments = [line.split()[1] for line in sorted(machine.log.read_text().splitlines())]
    assert moments == ["+", "-", "+", "-"]


def test_several_devices_are_taken_together_or_not_at_all(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    with claimed("cuda", count=2, locks=machine.locks) as devices:
        assert devices == ["0", "1"]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    with (
        pytest.raises(StageError, match="computes on 2 GPUs, and 1 are visible"),
        claimed("cuda", count=2, locks=machine.locks),
    ):
        pass


@pytest.mark.parametrize("what", ["lock", "folder"])
def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path, what: str) -> None:
    """Any user can put one there, so that a file appears, as somebody else's, wherever it leads."""
    locks, target = tmp_path / "locks", tmp_path / "home"
    target.mkdir()
    if what == "lock":
        locks.mkdir()
        (locks / "cpu").symlink_to(target / "cpu")
    else:
        locks.symlink_to(target)
    with pytest.raises(StageError, match="is a link"), claimed("cpu", locks=locks):
        pass
    assert not list(target.iterdir())


def test_nobody_but_its_owner_can_replace_a_lock(tmp_path: Path) -> None:
    with claimed("cpu", locks=tmp_path / "locks"):
        assert (tmp_path / "locks").stat().st_mode & 0o7777 == 0o1777
        assert (tmp_path / "locks" / "cpu").stat().st_mode & 0o7777 == 0o644


def test_on_the_cpu_a_timed_job_waits_for_all_others(tmp_path: Path) -> None:
    with claimed("cpu", together=None, locks=tmp_path), claimed("cpu", together=None, locks=tmp_path):
        job = "from prefsweep.devices import claimed; from pathlib import Path; import sys\n"
        job += "with claimed('cpu', locks=Path(sys.argv[1])): pass"
        waiting = subprocess.Popen(
            [sys.executable, "-c", job, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert waiting.stderr
        assert waiting.stderr.readline() == "waiting for cpu: other jobs compute there\n"
        assert waiting.poll() is None
    assert waiting.wait(timeout=60) == 0
    assert waiting.stderr.read() == ""
