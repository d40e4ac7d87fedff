"""Memory: what there is, and a stage's peak, of this process or of a whole process group such as a server's."""

import os
import sys
from pathlib import Path
from typing import Literal

MemoryKind = Literal["resident", "cuda_allocated"]
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Of a container, in the two forms that Linux has for it."""


def installed_bytes() -> int:
    """Main memory that this process may have: the machine's, or less where its container has a limit."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [file.read_text(encoding="ascii").strip() for file in _LIMITS if file.is_file()]
    return min([machine, *(int(limit) for limit in limits if limit.isdigit())])


def peak_memory() -> tuple[int, MemoryKind]:
    """Bytes at this process's peak: the CUDA allocator's where one was used, else the resident set."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated()), "cuda_allocated"
    return _high_water_mark(Path("/proc/self/status")), "resident"  # getrusage would begin with the parent's size


def group_peak_resident_bytes(group: int) -> int:
    """Sum of the peak resident sets of a process group's living members, from /proc.

    Pages they share are counted once per member, so this is an upper bound.
    """
    total = 0
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            fields = (directory / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                total += _high_water_mark(directory / "status")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def _high_water_mark(status: Path) -> int:
    for line in status.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
