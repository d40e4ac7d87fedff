"""Benchmark documents that training would give away, looked for in what tasks bring along themselves.

Twice: before any job among all rows, which refuses, and among the rows that were prepared, which leaves a record.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefsweep.checking import raise_if_leaking
from prefsweep.data_files import local_files
from prefsweep.dataset import DatasetSpec
from prefsweep.entries import read_entries
from prefsweep.failures import StageError
from prefsweep.files import sha256_of
from prefsweep.formats import Turn
from prefsweep.records.base import FileHash
from prefsweep.records.data import LabelledRow, Pair
from prefsweep.records.traits import BenchmarkDocuments
from prefsweep.rows import SHOWN, Problems
from prefsweep.selection import split
from prefsweep.splitting import normalised, normalised_prompt, overlapping
from prefsweep.tasks import is_elsewhere, task_documents
from prefsweep.wording import joined

REMEDY = "Remove these rows from the training file, or the task from evaluate.tasks."


def check_benchmarks(spec: DatasetSpec, downloads: Path, tasks: Sequence[str], root: Path) -> None:
    """Refuse documents of these tasks that share 13 successive words with a row that could be trained on.

    All rows but those held out count: which ones `limit` and the length filter leave is not known before a model is.
    Raises StageError of class `data` that lists which document shares words with which row, `config` when a task's
    documents cannot be read.
    """
    if not document_files(tasks, root):
        return
    entries = read_entries(spec, local_files(spec, downloads), Problems())
    training, _ = split(entries, spec.heldout_fraction)
    rows = [(entry.place, entry.example) for entry in training.entries]
    texts = _training_texts((place, row.messages, _aim(row.answer, row.desirable)) for place, row in rows)
    overlaps, _ = _overlaps(texts, tasks, root)
    raise_if_leaking(overlaps, "benchmark documents", REMEDY)


def compared_with_prepared(
    pairs: Iterable[Pair], labelled: Iterable[LabelledRow], tasks: Sequence[str], root: Path
) -> BenchmarkDocuments:
    """The account of what these tasks' documents share with exactly the rows that are trained on."""
    texts = _training_texts(
        [
            *((f"row {pair.id}", pair.messages, pair.chosen) for pair in pairs),
            *((f"row {row.id}", row.messages, _aim(row.answer, row.desirable)) for row in labelled),
        ]
    )
    overlaps, documents = _overlaps(texts, tasks, root)
    return BenchmarkDocuments(
        files=[
            FileHash(name=os.path.relpath(file, root), bytes=file.stat().st_size, sha256=sha256_of(file))
            for file in document_files(tasks, root)
        ],
        documents=documents,
        overlaps=len(overlaps),
        listed=overlaps[:SHOWN],
        not_compared=[Path(task).stem if task.endswith(".yaml") else task for task in tasks if is_elsewhere(task)],
    )


def document_files(tasks: Iterable[str], root: Path) -> list[Path]:
    """The files of documents that these tasks bring along; `root` is the project's."""
    files = (file for task in tasks if task.endswith(".yaml") for file in task_documents(Path(task), root))
    return list(dict.fromkeys(files))


def _training_texts(rows: Iterable[tuple[str, list[Turn], str | None]]) -> dict[str, str]:
    """Normalised text → where it is, of rows given as their place, their prompt and the answer trained towards."""
    texts: dict[str, str] = {}
    for place, messages, answer in rows:
        texts.setdefault(normalised_prompt(messages), f"the prompt of {place}")
        if answer is not None:
            texts.setdefault(normalised(answer), f"the answer of {place}")
    return texts


def _aim(answer: str | None, desirable: bool | None) -> str | None:
    return None if desirable is False else answer


def _overlaps(trained: Mapping[str, str], tasks: Iterable[str], root: Path) -> tuple[list[str], int]:
    """`DOCUMENT shares 13 words with PLACE` for each document that does, and how many documents there are."""
    asked: dict[str, list[str]] = {}
    documents = 0
    for file in document_files(tasks, root):
        for place, document in _documents(file):
            documents += 1
            for text in _texts(document):
                asked.setdefault(normalised(text), []).append(place)
    places, names = list(trained.values()), list(asked.values())
    found: dict[str, dict[str, None]] = {}
    for index, row in sorted(overlapping(list(trained), list(asked)).items()):
        for document in names[index]:
            found.setdefault(document, {})[places[row]] = None
    return [f"{document} shares 13 words with {joined(list(rows))}" for document, rows in found.items()], documents


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
