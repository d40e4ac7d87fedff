"""A file as examples: tell its format from the first rows, say what it was taken for, check every row."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from prefsweep.adaptation import BETWEEN, Adaptation, Ratings
from prefsweep.chats import refuse_unsupported, text
from prefsweep.containers import Container, Progress, container_of
from prefsweep.detection import PEEKED, detected
from prefsweep.formats import Content, Example, Format
from prefsweep.rows import Droppable, Problems, Row, RowProblem, policy_of
from prefsweep.shapes.scored import Scored


@dataclass(frozen=True)
class Treatment:
    """What a dataset file says about how its rows are read."""

    columns: dict[str, str] = field(default_factory=dict)
    """Our column names → the file's, for files with other headings; columns left out are not read."""
    delete: str = ""
    """Characters removed from every text."""
    ratings: Ratings | None = None
    scored: Scored = field(default_factory=Scored)
    dropped: frozenset[Droppable] = frozenset()
    """Kinds of problem whose rows are dropped and counted instead of refused."""


@dataclass
class Reading:
    """One pass over a file: iterate to get its examples; problems go to `problems`, the rest is counted here.

    Iterating raises StageError when the file is not readable, or not one accepted format fits its first rows.
    """

    path: Path
    accepted: Collection[Content]
    problems: Problems
    treatment: Treatment = Treatment()
    progress: Progress | None = None
    rows: int = 0
    container: Container | None = None
    format: Format | None = None
    labels: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason → rows that are left out because the data set says so."""

    def __iter__(self) -> Iterator[Example]:
        self.container = container_of(self.path)
        treatment = self.treatment
        adaptation = Adaptation(treatment.columns, treatment.delete, treatment.ratings, self.container.typed)
        rows = self.container.rows(self.problems, self.progress)
        peeked = list(islice(rows, PEEKED))
        if not peeked:
            return
        sketches = [(line, adaptation.sketch(row)) for line, row in peeked]
        self.format = detected(self.path, sketches, self.accepted, treatment.scored)
        yield from self._examples(self.format, chain(peeked, rows), adaptation if adaptation else None)

    @property
    def name(self) -> str:
        """What the file was taken for, without its rows."""
        if not self.format or not self.container:
            return "nothing"
        kind = "" if str(self.container) == "JSON lines" else f" ({self.container})"
        ratings = f", {self.treatment.ratings}" if self.treatment.ratings else ""
        return f"{self.format.name}{kind}{ratings}"

    @property
    def kept(self) -> int:
        """Rows that were not dropped; those with problems, with which nothing goes on, included."""
        return self.rows - self.dropped.total()

    @property
    def explanation(self) -> str:
        """One line for people: what the file was taken for."""
        return f"{self.path.name}: read as {self.name}, {self.rows:,} {'row' if self.rows == 1 else 'rows'}"

    def _examples(self, form: Format, rows: Iterator[Row], adaptation: Adaptation | None) -> Iterator[Example]:
        columns, make = form.columns.keys(), form.example
        for line, row in rows:
            self.rows += 1
            try:
                if adaptation:
                    row = adaptation.apply(row)
                example = make(line, row) if row.keys() == columns else _with_more(form, line, row)
            except RowProblem as problem:
                self._note(problem, line)
                continue
            if example.desirable is not None:
                self.labels[example.desirable] += 1
            yield example

    def _note(self, problem: RowProblem, line: int) -> None:
        if problem.kind == BETWEEN or policy_of(problem.kind) in self.treatment.dropped:
            self.dropped[problem.kind] += 1
        else:
            self.problems.add(problem.kind, self.path, line, str(problem))


def _with_more(form: Format, line: int, row: dict[str, Any]) -> Example:
    """The example of a row with other columns than the format needs: too few, unused ones, a system prompt."""
    missing = form.columns.keys() - row.keys()
    if missing:
        raise RowProblem("missing field", f"no {' and no '.join(sorted(missing))}")
    refuse_unsupported(row)
    example = form.example(line, row)
    system = row.get("system")
    if not system:
        return example
    if example.messages[0]["role"] == "system":
        raise RowProblem("wrong turns", "a system prompt in the column system and another as the first turn")
    messages = [{"role": "system", "content": text(system, "system")}, *example.messages]
    return example._replace(messages=messages)
