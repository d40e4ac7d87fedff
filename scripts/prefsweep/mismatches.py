"""Where two files that should be equal differ: a table's row and column, a record's key, a text's line."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

MOST_TOLD = 5
"""Of the places in one file; the others are counted."""
_LONGEST = 60
_MISSING = object()


def mismatches(name: str, found: bytes, due: bytes) -> list[str]:
    """Each place in which a file is not what is `due`, both values beside it; empty where nothing differs.

    `name` tells the form: tables are compared cell by cell, JSON value by value, anything else line by line. A file
    that cannot be read in its form, or differs only in how it is written, differs in a byte.
    """
    if found == due:
        return []
    compare = _FORMS.get(name.rpartition(".")[2], _lines)
    try:
        places = list(compare(found.decode(), due.decode()))
    except (ValueError, csv.Error):
        places = []
    places = places or [_first_byte(found, due)]
    more = [f"and {len(places) - MOST_TOLD:,} more places"] if len(places) > MOST_TOLD else []
    return [*places[:MOST_TOLD], *more]


def _cells(found: str, due: str) -> Iterator[str]:
    """Rows are numbered as a spreadsheet does, which has the heads in row 1."""
    heads, *rows = csv.reader(io.StringIO(found, newline=""))
    due_heads, *due_rows = csv.reader(io.StringIO(due, newline=""))
    yield from (f"column {_short(head)} does not belong there" for head in heads if head not in due_heads)
    yield from (f"column {_short(head)} is missing" for head in due_heads if head not in heads)
    for number, (row, due_row) in enumerate(zip_longest(rows, due_rows), start=2):
        if row is None or due_row is None:
            yield f"row {number} ({(row or due_row)[0]}) {'is missing' if row is None else 'does not belong there'}"
            continue
        cells, due_cells = dict(zip(heads, row, strict=False)), dict(zip(due_heads, due_row, strict=True))
        for column in heads:
            if column in due_cells and cells.get(column) != due_cells[column]:
                place = f"row {number} ({due_row[0]}), column {column}"
                yield _told(place, cells.get(column), due_cells[column])


def _documents(found: str, due: str) -> Iterator[str]:
    """JSON lines."""
    for number, (line, due_line) in enumerate(zip_longest(found.splitlines(), due.splitlines()), start=1):
        if line is None or due_line is None:
            yield f"line {number} {'is missing' if line is None else 'does not belong there'}"
        elif line != due_line:
            yield from (f"line {number}, {place}" for place in _values(json.loads(line), json.loads(due_line)))


def _document(found: str, due: str) -> Iterator[str]:
    return _values(json.loads(found), json.loads(due))


def _values(found: Any, due: Any, path: str = "") -> Iterator[str]:
    if isinstance(found, dict) and isinstance(due, dict):
        pairs = [(key, found.get(key, _MISSING), due.get(key, _MISSING)) for key in dict.fromkeys([*due, *found])]
    elif isinstance(found, list) and isinstance(due, list):
        pairs = [(str(i), *both) for i, both in enumerate(zip_longest(found, due, fillvalue=_MISSING))]
    else:
        if found != due or type(found) is not type(due):
            yield _told(path, found, due)
        return
    for key, value, due_value in pairs:
        place = f"{path}.{key}" if path else key
        if value is _MISSING or due_value is _MISSING:
            yield f"{place} {'is missing' if value is _MISSING else 'does not belong there'}"
        else:
            yield from _values(value, due_value, place)


def _lines(found: str, due: str) -> Iterator[str]:
    for number, (line, due_line) in enumerate(zip_longest(found.splitlines(), due.splitlines(), fillvalue=""), start=1):
        if line != due_line:
            start = max(0, _common(line, due_line) - _LONGEST // 3)
            yield _told(f"line {number}", line[start:], due_line[start:])


def _first_byte(found: bytes, due: bytes) -> str:
    at = _common(found, due)
    return _told(f"byte {at + 1:,}", found[at : at + 12], due[at : at + 12])


def _common(found: str | bytes, due: str | bytes) -> int:
    """How many characters or bytes both begin with."""
    shorter = min(len(found), len(due))
    return next((i for i in range(shorter) if found[i] != due[i]), shorter)


def _told(place: str, found: Any, due: Any) -> str:
    return f"{place}: {_short(found)}, from the records {_short(due)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


_FORMS: dict[str, Callable[[str, str], Iterator[str]]] = {"csv": _cells, "jsonl": _documents, "json": _document}
