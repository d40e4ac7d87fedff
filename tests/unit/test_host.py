"""What is missing on the machine is one clear line before anything starts."""

import ctypes
from collections import namedtuple
from pathlib import Path

import pytest

from prefsweep import host
from prefsweep.failures import StageError

System = namedtuple("System", "f_frsize f_blocks")


class Driver:
    """Stands in for libcuda.so.1, which only machines with a GPU have."""

    def __init__(self, version: int = 13000, status: int = 0, count: int = 1) -> None:
        self.version, self.status, self.count = version, status, count

    def cuDriverGetVersion(self, pointer) -> int:
        pointer._obj.value = self.version
        return 0

    def cuInit(self, _flags: int) -> int:
        return self.status

    def cuDeviceGetCount(self, pointer) -> int:
        pointer._obj.value = self.count
        return 0

    def cuGetErrorString(self, _status: int, pointer) -> int:
        pointer._obj.value = b"no CUDA-capable device is detected"
        return 0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Gives the machine a driver (or none) and shared memory of so many bytes."""

    def give(driver: Driver | None, shared_memory_bytes: int = 8 << 30) -> None:
        def load(_name: str) -> Driver:
            if driver is None:
                raise OSError("libcuda.so.1: cannot open shared object file")
            return driver

        monkeypatch.setattr(ctypes, "CDLL", load)
        monkeypatch.setattr(host.os, "statvfs", lambda _path: System(4096, shared_memory_bytes // 4096))

    return give


def test_a_good_machine_passes(machine) -> None:
    machine(Driver())
    host.check_cuda(gpus=1)


@pytest.mark.parametrize(
    ("driver", "message", "remedy"),
    [
        (None, "has no NVIDIA driver", "--gpus all"),
        (Driver(version=12080), "is for CUDA 12.8, the engines need 13.0", "580"),
        (Driver(status=100), "error 100 .no CUDA-capable device", "nvidia-smi"),
        (Driver(count=0), "no GPU is visible .CUDA_VISIBLE_DEVICES is '7'", "CUDA_VISIBLE_DEVICES"),
        (Driver(count=3), "needs 4 GPUs, 3 are visible", "train.gpus"),
    ],
)
def test_a_gpu_that_cannot_be_used(machine, monkeypatch, driver: Driver | None, message: str, remedy: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    machine(driver)
    with pytest.raises(StageError, match=message) as error:
        host.check_cuda(gpus=4)
    assert error.value.failure == "config"
    assert remedy in error.value.remedy


@pytest.mark.parametrize(("device", "mebibytes"), [("cpu", 512), ("cuda", 1024)])
def test_a_containers_small_shared_memory(machine, device, mebibytes: int) -> None:
    machine(Driver(), shared_memory_bytes=mebibytes << 20)
    host.check_shared_memory(device)
    machine(Driver(), shared_memory_bytes=64 << 20)
    with pytest.raises(StageError, match=f"holds 64 MiB, and vLLM needs {mebibytes}") as error:
        host.check_shared_memory(device)
    assert "--shm-size" in error.value.remedy


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host.check_writable(tmp_path / "results" / "study")
    monkeypatch.setattr(host.os, "access", lambda path, _mode: Path(path) != tmp_path)
    with pytest.raises(StageError, match=f"{tmp_path} cannot be written by user"):
        host.check_writable(tmp_path / "results" / "study")


@pytest.mark.parametrize(
    ("wanted", "image", "gpus", "expected"),
    [
        ("cpu", "cuda", ("H100",), "cpu"),
        ("auto", None, ("H100",), "cuda"),
        ("auto", None, (), "cpu"),
        ("auto", "cpu", ("H100",), "cpu"),
        ("auto", "cuda", (), "cuda"),
    ],
)
def test_what_auto_means(monkeypatch, wanted, image: str | None, gpus: tuple[str, ...], expected: str) -> None:
    monkeypatch.delenv("PREFSWEEP_DEVICE", raising=False)
    if image:
        monkeypatch.setenv("PREFSWEEP_DEVICE", image)
    monkeypatch.setattr(host, "visible_accelerators", lambda: gpus)
    assert host.device_for(wanted) == expected


def test_an_unknown_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFSWEEP_DEVICE", "tpu")
    with pytest.raises(ValueError, match="must be cpu or cuda"):
        host.device_for("auto")
