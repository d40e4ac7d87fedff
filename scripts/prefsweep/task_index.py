"""What lm-eval knows by name: its tasks, groups and tags. It reads them for long, so they are kept, once for a lock."""

import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from prefsweep.environments import lock_of
from prefsweep.failures import StageError
from prefsweep.files import sha256_of
from prefsweep.records.base import Record


class TaskFacts(Record):
    """What a task's definition says about the settings it can have."""

    output_type: str | None
    num_fewshot: int | None
    """Solved examples that lm-eval gives unasked; it never gives a task with 0 here any."""
    examples: int | None
    """How many it has of its own; None where they are drawn from a split."""
    unsafe_code: bool

    @classmethod
    def of(cls, definition: dict[str, Any]) -> Self:
        """From lm-eval's own form."""
        samples = (definition.get("fewshot_config") or {}).get("samples")
        return cls(
            output_type=definition.get("output_type"),
            num_fewshot=definition.get("num_fewshot"),
            examples=len(samples) if isinstance(samples, list) else None,
            unsafe_code=bool(definition.get("unsafe_code")),
        )


class TaskIndex(Record):
    """lm-eval's own tasks, and its groups and tags by the names of their members."""

    lm_eval: str
    """Its version."""
    tasks: dict[str, TaskFacts]
    groups: dict[str, list[str]]

    @cached_property
    def names(self) -> list[str]:
        """All that lm-eval can be asked for."""
        return [*self.tasks, *self.groups]

    def leaves(self, name: str) -> list[str]:
        """The tasks that a name stands for: itself, or all below a group or tag."""
        seen: dict[str, None] = {}
        waiting = [name]
        while waiting:
            if (one := waiting.pop(0)) not in seen:
                seen[one] = None
                waiting = self.groups.get(one, []) + waiting
        return [one for one in seen if one not in self.groups]


def index_file(models: Path, device: str) -> Path:
    """Where the index of the environment of this device's lock is kept, in the folder of what is fetched once."""
    return models / "lm-eval" / f"tasks-{sha256_of(lock_of('evaluate', device))[:12]}.json"


def kept_index(file: Path) -> TaskIndex | None:
    """The index, if one is kept that this version can read."""
    try:
        return TaskIndex.read(file) if file.is_file() else None
    except ValueError:
        return None


def read_index(file: Path, python: Path, script: Path) -> TaskIndex:
    """The index, asked of lm-eval by scripts/index_tasks.py in its environment unless it is kept.

    Raises StageError when that fails.
    """
    if kept := kept_index(file):
        return kept
    print("lm-eval: reading its tasks' definitions, once ...", file=sys.stderr, flush=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    asked = subprocess.run([python, script, "--output", file], capture_output=True, text=True, check=False)
    if asked.returncode:
        last = asked.stderr.strip().rpartition("\n")[2]
        remedy = "Make the `evaluate` environment anew, or name only tasks that have a file in config/tasks/."
        raise StageError("config", f"lm-eval cannot list its tasks: {last}", remedy)
    return TaskIndex.read(file)
