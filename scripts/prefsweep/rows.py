"""Rows of a file with the line each one starts on, and every problem found on the way.

A file is read as a stream, so that a million rows need the memory of one. Nothing is skipped silently: what
cannot be read becomes a problem with its place, and all are reported together before anything is spent.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefsweep.failures import StageError

Row = tuple[int, dict[str, Any]]
"""The 1-based line a row starts on, and its columns."""

SHOWN = 10
"""How many places of each kind of problem an error names."""

REMEDIES = {
    "invalid JSON": "write one complete JSON object per line; a cut-off last line means an incomplete copy",
    "not an object": "write one JSON object such as {...} per line",
    "invalid CSV": "quote fields that hold a comma, a quote or a line break, and double the quotes in them",
    "wrong number of columns": "give every row as many fields as the header",
    "not UTF-8": "save the file as UTF-8",
    "unprintable text": "remove NUL characters and unpaired surrogates: no tokenizer can read them",
    "missing field": "add the field or delete the row",
    "wrong type": "give the field the type that is named",
    "empty text": "write the text or delete the row",
    "wrong turns": "an optional system turn, then user and assistant in turn, ending as described",
    "equal answers": "a pair needs two different answers: correct or delete the row",
    "wrong label": "write the JSON value true or false, without quotes",
    "one label only": "KTO learns from desirable and undesirable answers: add rows of the other kind",
    "not supported": "prefsweep compares text-only chats: remove the field or the row",
    "chat template": "change the turns to what the model's chat template accepts",
    "special token": "remove it: the chat template adds such tokens, and in a text they end or forge turns",
}
"""Kinds of problem a row can have, each with what to do about it."""


class RowProblem(Exception):
    """A row that cannot be used: `kind` is a key of REMEDIES, the text says what is wrong with this one."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass
class Problems:
    """Every problem of a data set's files: counts per kind, and the first few places of each."""

    counts: dict[str, int] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, kind: str, path: Path, line: int, detail: str, column: int | None = None) -> None:
        """Note one problem at a 1-based line (and column); `kind` is a key of REMEDIES."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        places = self.places.setdefault(kind, [])
        if len(places) < SHOWN:
            place = f"{path}:{line}" if column is None else f"{path}:{line}:{column}"
            places.append(f"{place}: {detail}")

    def raise_if_any(self) -> None:
        """Raise a StageError of class `data` that lists them all, if there are any."""
        if not self.counts:
            return
        parts = [f"{self.total:,} {'row' if self.total == 1 else 'rows'} cannot be used"]
        for kind, count in self.counts.items():
            parts.append(f"{kind} ({count}): {REMEDIES[kind]}")
            parts += [f"  {place}" for place in self.places[kind]]
            if count > SHOWN:
                parts.append(f"  … and {count - SHOWN} more")
        raise StageError("data", "\n".join(parts))


def read_rows(path: Path, problems: Problems) -> Iterator[Row]:
    """The rows of a JSON-lines file, or of a CSV file if its name ends in `.csv`.

    Problems of single rows go to `problems`. Raises StageError when it is no text file with rows at all.
    """
    _require_text_file(path)
    rows = _csv_rows(path, problems) if path.suffix.lower() == ".csv" else _json_rows(path, problems)
    before = problems.total
    empty = True
    for row in rows:
        empty = False
        yield row
    if empty and problems.total == before:
        raise StageError("data", f"{path}: 0 rows", "Write at least one row into the file.")


_SIGNATURES = {
    b"\x1f\x8b": ("gzip-compressed", "Unpack it with gunzip."),
    b"PAR1": ("a Parquet file", "Convert it to JSON lines."),
    b"PK\x03\x04": ("a zip archive", "Unpack it."),
    b"\xff\xfe": ("UTF-16 text", "Save it as UTF-8."),
    b"\xfe\xff": ("UTF-16 text", "Save it as UTF-8."),
}


def _require_text_file(path: Path) -> None:
    if not path.exists():
        raise StageError("data", f"{path}: no such file", "Check the path in the study or dataset file.")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not a regular file"
        raise StageError("data", f"{path}: {what}", "Name a .jsonl or .csv file.")
    with path.open("rb") as stream:
        start = stream.read(4096)
    for signature, (what, remedy) in _SIGNATURES.items():
        if start.startswith(signature):
            raise StageError("data", f"{path}: {what}, not JSON lines or CSV", remedy)
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        remedy = "Write each element of the array on a line of its own, without the brackets and commas."
        raise StageError("data", f"{path}: one JSON array, not JSON lines", remedy)


def _text_lines(path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    """The lines that are UTF-8 without NUL, numbered from 1, line ends kept."""
    offset = 0
    with path.open("rb") as stream:
        for number, raw in enumerate(stream, 1):
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                what = f"byte {raw[error.start]:#04x} at offset {offset + error.start}"
                problems.add("not UTF-8", path, number, what)
            else:
                if number == 1:
                    text = text.removeprefix("\ufeff")
                if "\0" in text:
                    problems.add("unprintable text", path, number, "NUL", text.index("\0") + 1)
                else:
                    yield number, text
            offset += len(raw)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_SUSPECT = re.compile(r"\\u0000|\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]")
"""An escaped NUL or half of a surrogate pair; an escaped backslash before it makes it harmless text."""

_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _json_rows(path: Path, problems: Problems) -> Iterator[Row]:
    for number, text in _text_lines(path, problems):
        if text.isspace():
            continue
        try:
            value = _DECODER.decode(text)
        except json.JSONDecodeError as error:
            problems.add("invalid JSON", path, number, error.msg, error.colno)
        except (ValueError, RecursionError) as error:
            problems.add("invalid JSON", path, number, str(error))
        else:
            if not isinstance(value, dict):
                problems.add("not an object", path, number, f"a JSON {type(value).__name__}")
            elif "\\u" in text and _SUSPECT.search(text) and not _printable(value):
                problems.add("unprintable text", path, number, "an escaped NUL or unpaired surrogate")
            else:
                yield number, value


def _printable(value: Any) -> bool:
    """Whether all text in a JSON value can be written as UTF-8 and holds no NUL."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(_printable(key) and _printable(item) for key, item in value.items())
    return not isinstance(value, list) or all(map(_printable, value))


def _csv_rows(path: Path, problems: Problems) -> Iterator[Row]:
    csv.field_size_limit(1 << 30)
    position = _Position()
    reader = csv.reader(position.noting(_text_lines(path, problems)), strict=True)
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


@dataclass
class _Position:
    """The physical line a CSV reader has consumed last; a quoted field may span several."""

    line: int = 0

    def noting(self, lines: Iterator[tuple[int, str]]) -> Iterator[str]:
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
