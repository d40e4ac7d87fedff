"""Benchmark documents that training would give away, looked for before any job in what tasks bring along themselves."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prefsweep.checking import raise_if_leaking
from prefsweep.data_files import local_files
from prefsweep.dataset import DatasetSpec
from prefsweep.entries import Entry, read_entries
from prefsweep.failures import StageError
from prefsweep.rows import Problems
from prefsweep.selection import split
from prefsweep.splitting import normalised, normalised_prompt, overlapping
from prefsweep.tasks import task_documents

REMEDY = "Remove these rows from the training file, or the task from evaluate.tasks."


def check_benchmarks(spec: DatasetSpec, downloads: Path, tasks: Iterable[Path], root: Path) -> None:
    """Compare every document of these task files with the training prompts and the answers that are trained towards.

    Tasks without documents on this machine are not looked at. Raises StageError of class `data` that lists which
    document shares 13 successive words with which row, `config` when a task's documents cannot be read.
    """
    files = [file for task in tasks for file in task_documents(task, root)]
    if not files:
        return
    entries = read_entries(spec, local_files(spec, downloads), Problems())
    training, _ = split(entries, spec.heldout_fraction)
    trained = dict(_training_texts(training.entries))
    asked = dict(text for file in files for text in _document_texts(file))
    places, documents = list(trained.values()), list(asked.values())
    overlaps = overlapping(list(trained), list(asked))
    leaks = [f"{documents[i]} shares 13 words with {places[j]}" for i, j in sorted(overlaps.items())]
    raise_if_leaking(list(dict.fromkeys(leaks)), "benchmark documents", REMEDY)


def _training_texts(entries: Iterable[Entry]) -> Iterator[tuple[str, str]]:
    """Normalised text → where it is."""
    for entry in entries:
        yield normalised_prompt(entry.example.messages), f"the prompt of {entry.place}"
        if entry.example.answer is not None and entry.example.desirable is not False:
            yield normalised(entry.example.answer), f"the answer of {entry.place}"


def _document_texts(file: Path) -> Iterator[tuple[str, str]]:
    """Every text in every document of a file → which document it is in."""
    for place, document in _documents(file):
        for text in _texts(document):
            yield normalised(text), place


def _documents(file: Path) -> Iterator[tuple[str, Any]]:
    """Documents of a JSON array or of JSON lines, each with its place."""
    try:
        text = file.read_text(encoding="utf-8")
        if text.lstrip().startswith("["):
            for number, document in enumerate(json.loads(text), 1):
                yield f"{file} document {number}", document
            return
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"{file}:{number}", json.loads(line)
    except (OSError, ValueError) as error:
        remedy = "Name JSON lines, or one JSON array, under dataset_kwargs.data_files of the task."
        raise StageError("config", f"the task's documents {file} cannot be read: {error}", remedy) from error


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
