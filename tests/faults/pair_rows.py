"""Rows for a study in a fresh checkout, and the study that uses them."""

import json
from collections.abc import Iterable
from typing import Any

from tests.workflow.conftest import Project


def pair(prompt: str, chosen: str = "Yes, gladly", rejected: str = "No") -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": chosen}]
    return {"messages": turns, "rejected_response": rejected}


def labelled(prompt: str, answer: str, label: bool) -> dict[str, Any]:
    return {"messages": pair(prompt, answer)["messages"], "label": label}


def use_rows(
    project: Project, rows: Iterable[dict[str, Any]], heldout: Iterable[dict[str, Any]] = (), **keys: Any
) -> None:
    """Let the study train on these rows, test on those, with further keys of the data set."""
    dataset = {"path": "rows.jsonl"} | keys
    files = {"rows.jsonl": rows} | ({"heldout.jsonl": heldout} if heldout else {})
    for name, content in files.items():
        (project.directory / name).write_text("".join(json.dumps(row) + "\n" for row in content))
    if heldout:
        dataset["heldout"] = "heldout.jsonl"
    project.edit("study.yaml", "dataset: emoji-en", f"dataset: {json.dumps(dataset)}")
