"""Rows of CSV: fields may hold line breaks, so each row is known by the physical line it starts on."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from prefsweep.failures import StageError
from prefsweep.rows import Problems, Row
from prefsweep.text_lines import text_of

_LONGEST_FIELD = 1 << 30


def delimiter_of(header: str) -> str | None:
    """The separator a header uses; None where it names one column only."""
    best = max(",\t;", key=header.count)
    return best if best in header else None


def csv_rows(stream: BinaryIO, path: Path, problems: Problems) -> Iterator[Row]:
    """The rows after the header; `path` is for messages."""
    csv.field_size_limit(_LONGEST_FIELD)
    lines = text_lines(stream, path, problems)
    start = next(((number, text) for number, text in lines if not text.isspace()), None)
    if start is None:
        return
    position = _Position(start[0] - 1)
    delimiter = delimiter_of(start[1]) or ","
    reader = csv.reader(position.noting(chain([start], lines)), delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        first = position.line + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problems.add("invalid CSV", path, first, f"{error} (row ends on line {position.line})")
            continue
        if not fields:
            continue
        if header is None:
            header = _header(path, first, fields)
        elif len(fields) != len(header):
            problems.add("wrong number of columns", path, first, f"{len(fields)} fields, {len(header)} in the header")
        else:
            yield first, dict(zip(header, fields, strict=True))


def text_lines(stream: BinaryIO, path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    """The lines that are UTF-8 without NUL, numbered from 1, line ends kept."""
    offset = 0
    for number, raw in enumerate(stream, 1):
        text = text_of(raw, offset, number, path, problems)
        if text is not None:
            yield number, text
        offset += len(raw)


@dataclass
class _Position:
    """The physical line a CSV reader has consumed last; a quoted field may span several."""

    line: int

    def noting(self, lines: Iterable[tuple[int, str]]) -> Iterator[str]:
        for number, text in lines:
            self.line = number
            yield text


def _header(path: Path, line: int, fields: list[str]) -> list[str]:
    names = [name.strip() for name in fields]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        remedy = "Give every column a name of its own."
        raise StageError("data", f"{path}:{line}: the header names {', '.join(map(repr, repeated))} twice", remedy)
    return names
