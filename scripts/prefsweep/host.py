"""What a study needs of the machine that starts it, looked at before the first job: one clear line for what is missing.

The CUDA driver is asked itself, so that NVIDIA's forward-compatibility libraries count for what they can do.
"""

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from prefsweep.failures import StageError
from prefsweep.plan import Device
from prefsweep.provenance import visible_accelerators

CUDA_VERSION = 13000
"""What the locks' torch and vLLM are built for, as cuDriverGetVersion counts: 1000 × major + 10 × minor."""

SMALLEST_SHARED_MEMORY_BYTES: dict[Device, int] = {"cpu": 512 << 20, "cuda": 1 << 30}
"""vLLM's processes talk through /dev/shm, 400 MiB of it on the CPU, and so does NCCL; a container has 64 MiB unless
told otherwise."""


def device_for(wanted: Literal["auto", "cpu", "cuda"]) -> Device:
    """What runs the engines. `auto` is what PREFSWEEP_DEVICE says, as in an image made for one device, else cuda where
    a GPU answers. Raises ValueError.
    """
    if wanted != "auto":
        return wanted
    fixed = os.environ.get("PREFSWEEP_DEVICE")
    if fixed not in (None, "cpu", "cuda"):
        raise ValueError(f"PREFSWEEP_DEVICE is {fixed!r}; it must be cpu or cuda")
    if fixed:
        return "cpu" if fixed == "cpu" else "cuda"
    return "cuda" if visible_accelerators() else "cpu"


def check_writable(directory: Path) -> None:
    """Raise StageError("config") when a study's folder, or where it would be made, cannot be written.

    Nor may a run's folder be somebody else's, as after a call by root.
    """
    nearest = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    within = (found for pattern in ("*", "runs/*", "runs/*/*") for found in directory.glob(pattern) if found.is_dir())
    for folder in (nearest, *within):
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StageError(
                "config",
                f"{folder.absolute()} cannot be written by user {os.getuid()}",
                'Give the folder to this user, or run as its owner (docker run --user "$(id -u):$(id -g)").',
            )


def check_replaceable(files: Iterable[Path]) -> None:
    """Raise StageError("config") for the first of these outputs that is there and write-protected."""
    for file in files:
        if file.exists() and not os.access(file, os.W_OK):
            raise StageError(
                "config",
                f"{file.absolute()} would be made again, and is write-protected for user {os.getuid()}",
                "snakemake --dry-run says why. Make it writable, or keep it and give the study another name.",
            )


def check_shared_memory(device: Device, directory: Path = Path("/dev/shm")) -> None:
    """Raise StageError("config") when a server's processes could not talk to each other."""
    system = os.statvfs(directory)
    size, needed = system.f_frsize * system.f_blocks, SMALLEST_SHARED_MEMORY_BYTES[device]
    if size < needed:
        raise StageError(
            "config",
            f"{directory} holds {size >> 20} MiB, and vLLM needs {needed >> 20}",
            "Start the container with --ipc=host or --shm-size=4g.",
        )


def check_cuda(gpus: int) -> None:
    """Raise StageError("config") unless so many GPUs answer and their driver is new enough."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        raise StageError(
            "config",
            "the study runs on CUDA, and this machine has no NVIDIA driver",
            "In a container: docker run --gpus all, with the NVIDIA Container Toolkit on the host. "
            "Without a GPU: device: cpu, in the image or the environments for the CPU.",
        ) from None
    version = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    if version.value < CUDA_VERSION:
        raise StageError(
            "config",
            f"the NVIDIA driver is for CUDA {_named(version.value)}, the engines need {_named(CUDA_VERSION)}",
            "Install driver branch 580 or newer on the host.",
        )
    count = ctypes.c_int()
    if status := driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        text = ctypes.c_char_p()
        driver.cuGetErrorString(status, ctypes.byref(text))
        raise StageError(
            "config",
            f"the NVIDIA driver answers with error {status} ({(text.value or b'unknown').decode()})",
            "Check nvidia-smi on the host, CUDA_VISIBLE_DEVICES, and --gpus of the container.",
        )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if count.value == 0:
        raise StageError(
            "config",
            f"the study runs on CUDA, and no GPU is visible (CUDA_VISIBLE_DEVICES is {visible!r})",
            "Check CUDA_VISIBLE_DEVICES, and --gpus of the container.",
        )
    if count.value < gpus:
        raise StageError(
            "config",
            f"a job of the study needs {gpus} GPUs, {count.value} are visible (CUDA_VISIBLE_DEVICES is {visible!r})",
            "Lower train.gpus or generate.tensor_parallel, or show more GPUs.",
        )


def _named(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"
