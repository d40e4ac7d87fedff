"""What lm-eval takes and gives, in its own form, as this project's: tasks by their settings, results by document.

Imports nothing that the `evaluate` environment does not have.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ("limit", "num_fewshot", "apply_chat_template")
"""What lm-eval applies to all tasks of a call alike."""


def run_alike(tasks: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The tasks by their settings: lm-eval applies one set of them to all tasks of a call."""
    alike: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for one in tasks:
        alike.setdefault(tuple(one[key] for key in SETTINGS), []).append(one)
    return list(alike.values())


def task(name: str, rows: Path) -> object:
    """A task file, with the study's rows filled in unless it brings its own; any other name is lm-eval's own."""
    if not is_file(name):
        return name
    configuration = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    given = configuration.get("dataset_kwargs") or {}
    files = absolute(given["data_files"]) if "data_files" in given else {"test": str(rows)}
    return configuration | {"dataset_kwargs": given | {"data_files": files}}


def is_file(name: str) -> bool:
    """Whether a task is the project's or the user's own."""
    return name.endswith(".yaml")


def absolute(files: object) -> object:
    """Relative paths of data files, which start at the project's root, as absolute ones; addresses as they are."""
    if isinstance(files, dict):
        return {split: absolute(value) for split, value in files.items()}
    if isinstance(files, list):
        return [absolute(value) for value in files]
    return files if "://" in str(files) else str(ROOT / str(files))


def leaves(name: str, groups: dict[str, list[str]]) -> list[str]:
    """The tasks with documents of their own that a task or a group of groups consists of."""
    return [leaf for part in groups[name] for leaf in leaves(part, groups)] if groups.get(name) else [name]


def merged(documents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {name: value for document in documents for name, value in document.items()}


def numbers(values: dict[str, object]) -> dict[str, float]:
    """Numeric metrics under their plain names (lm-eval calls them `acc,none`); how many documents is no metric."""
    return {
        key.removesuffix(",none"): float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and "stderr" not in key and key != "sample_len"
    }


def sample(row: dict[str, Any]) -> dict[str, object]:
    """What later stages need of one document under one filter: which it is, its metrics, each request's response."""
    return {
        "id": row["doc"].get("id"),
        "number": row["doc_id"],
        "content": row["doc_hash"],
        "filter": row["filter"],
        "values": {name: row[name] for name in row["metrics"]},
        "responses": row["filtered_resps"],
    }


def plain(value: object) -> object:
    """NumPy's numbers as Python's; anything else that is not JSON as text, which no later stage takes for a number."""
    return value.item() if hasattr(value, "item") else str(value)
