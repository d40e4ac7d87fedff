"""List lm-eval's own tasks, groups and tags with what decides the settings a study may give them, as JSON.

Runs in the `evaluate` environment.
"""

import argparse
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prefsweep.task_index import TaskFacts, TaskIndex


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    from lm_eval.tasks import TaskManager

    entries = TaskManager().task_index
    tasks, groups = {}, {}
    for name, entry in sorted(entries.items()):
        if entry.kind.name in ("GROUP", "TAG"):
            groups[name] = [*members(entry.cfg)] if entry.cfg else sorted(entry.tags)
        else:
            tasks[name] = TaskFacts.of(entry.cfg)
    TaskIndex(lm_eval=version("lm-eval"), tasks=tasks, groups=groups).write(options.output)


def members(group: dict[str, Any]) -> Iterator[str]:
    """The names in a group's list, those of a group that is defined in place included."""
    listed = group.get("task")
    for item in listed if isinstance(listed, list) else []:
        if isinstance(item, str):
            yield item
        elif isinstance(item.get("task"), list):
            yield from members(item)
        elif name := item.get("group") or item.get("task"):
            yield name


if __name__ == "__main__":
    main()
