"""A file as examples: detect its format from the first rows, say what it was taken for, check every row."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from prefsweep.failures import StageError
from prefsweep.formats import FORMATS, Content, Example, Format, refuse_unsupported
from prefsweep.rows import Problems, Row, RowProblem, read_rows

_PEEKED = 100
"""Rows among which one must show the format: the first few may be the faulty ones."""


@dataclass
class Reading:
    """One pass over a file: iterate to get its examples; problems go to `problems`, the rest is counted here.

    Iterating raises StageError when the file is not readable or no accepted format fits its first rows.
    """

    path: Path
    accepted: Collection[Content]
    problems: Problems
    columns: dict[str, str] = field(default_factory=dict)
    """Our column names → the file's, for files with other headings; columns left out are not read."""
    deleted: str = ""
    """Characters removed from every text."""
    rows: int = 0
    format: Format | None = None
    labels: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def __iter__(self) -> Iterator[Example]:
        rows = self._adapted(read_rows(self.path, self.problems))
        peeked = list(islice(rows, _PEEKED))
        if not peeked:
            return
        self.format = self._detected(peeked)
        for line, row in chain(peeked, rows):
            self.rows += 1
            try:
                example = self._example(self.format, line, row)
            except RowProblem as problem:
                self.problems.add(problem.kind, self.path, line, str(problem))
                continue
            if example.desirable is not None:
                self.labels[example.desirable] += 1
            yield example
        self._require_both_labels(self.format)

    @property
    def explanation(self) -> str:
        """One line for people: what the file was taken for."""
        name = self.format.name if self.format else "nothing"
        return f"{self.path.name}: read as {name}, {self.rows:,} {'row' if self.rows == 1 else 'rows'}"

    def _adapted(self, rows: Iterator[Row]) -> Iterator[Row]:
        if not self.columns and not self.deleted:
            yield from rows
            return
        for line, row in rows:
            if self.columns:
                row = {ours: row[theirs] for ours, theirs in self.columns.items() if theirs in row}
            yield line, _without(self.deleted, row)

    def _detected(self, rows: list[Row]) -> Format:
        candidates = [form for form in FORMATS if form.content in self.accepted]
        for line, row in rows:
            matching = [form for form in candidates if form.columns <= row.keys()]
            if "label" in row and len({form.content for form in matching} - {"prompts"}) > 1:
                what = "has a label and a rejected answer"
                raise StageError("data", f"{self.path}:{line}: {what}", "Keep one of the two columns.")
            if matching:
                return matching[0]
        line, row = rows[0]
        columns = ", ".join(sorted(row)) or "none"
        known = "; ".join(" + ".join(sorted(form.columns)) for form in candidates)
        raise StageError(
            "data",
            f"{self.path}:{line}: the columns ({columns}) fit no known format",
            f"Expected here: {known}. Name other headings under `columns` in the dataset file.",
        )

    @staticmethod
    def _example(form: Format, line: int, row: dict[str, Any]) -> Example:
        if len(row) != len(form.columns) or row.keys() != form.columns:
            missing = form.columns - row.keys()
            if missing:
                raise RowProblem("missing field", f"no {' and no '.join(sorted(missing))}")
            refuse_unsupported(row)
        return form.example(line, row)

    def _require_both_labels(self, form: Format) -> None:
        counts = sorted(self.labels.items(), key=lambda item: item[1])
        if form.content == "labelled" and counts[0][1] == 0 < counts[1][1]:
            detail = f"all {counts[1][1]:,} labels are {str(counts[1][0]).lower()}"
            self.problems.add("one label only", self.path, 1, detail)


def _without(characters: str, value: Any) -> Any:
    """A JSON value with these characters removed from every text in it, keys excepted."""
    if isinstance(value, str):
        return value.translate(dict.fromkeys(map(ord, characters)))
    if isinstance(value, list):
        return [_without(characters, item) for item in value]
    if isinstance(value, dict):
        return {key: _without(characters, item) for key, item in value.items()}
    return value
