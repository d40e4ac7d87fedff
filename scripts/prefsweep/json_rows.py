"""Rows of JSON: one object a line, or the elements of one array or mapping that never is in memory as a whole."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from prefsweep.json_document import Document
from prefsweep.rows import Problems, Row
from prefsweep.text_lines import text_of


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_SUSPECT = re.compile(r"\\u0000|\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]")
"""An escaped NUL or half of a surrogate pair; an escaped backslash before it makes it harmless text."""


def line_rows(stream: BinaryIO, path: Path, problems: Problems) -> Iterator[Row]:
    """One object per line; a line the fast parser refuses is read again by one that says why. `path`: for messages."""
    offset = 0
    for number, raw in enumerate(stream, 1):
        try:
            value = orjson.loads(raw)
            sound = type(value) is dict and (b"\\" not in raw or b"\\u0000" not in raw)
        except orjson.JSONDecodeError:
            sound = False
        if sound:
            yield number, value
        else:
            yield from _doubtful(raw, offset, number, path, problems)
        offset += len(raw)


def _doubtful(raw: bytes, offset: int, number: int, path: Path, problems: Problems) -> Iterator[Row]:
    text = text_of(raw, offset, number, path, problems)
    if text and not text.isspace():
        try:
            value = _DECODER.decode(text.rstrip("\r\n"))
        except json.JSONDecodeError as error:
            problems.add("invalid JSON", path, number, error.msg, error.colno)
        except (ValueError, RecursionError) as error:
            problems.add("invalid JSON", path, number, str(error))
        else:
            yield from _objects(value, text, number, path, problems)


def _objects(value: Any, text: str, line: int, path: Path, problems: Problems) -> Iterator[Row]:
    """The value as a row if it is an object of printable text."""
    if not isinstance(value, dict):
        problems.add("not an object", path, line, f"a JSON {type(value).__name__}")
    elif "\\u" in text and _SUSPECT.search(text) and not printable(value):
        problems.add("unprintable text", path, line, "an escaped NUL or unpaired surrogate")
    else:
        yield line, value


def printable(value: Any) -> bool:
    """Whether all text in a value can be written as UTF-8 and holds no NUL."""
    if isinstance(value, str):
        return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return all(printable(key) and printable(item) for key, item in value.items())
    return not isinstance(value, list) or all(map(printable, value))


def element_rows(stream: BinaryIO, path: Path, problems: Problems, keyed: bool) -> Iterator[Row]:
    """The elements of an array, or the values of a mapping if `keyed`; reading ends at the first that is no JSON."""
    document = Document(stream, _DECODER)
    try:
        for line, value, text in document.elements(keyed):
            yield from _objects(value, text, line, path, problems)
    except json.JSONDecodeError as error:
        line, column = document.place(error)
        problems.add("invalid JSON", path, line, error.msg, column)
    except UnicodeDecodeError as error:
        problems.add("not UTF-8", path, document.line, f"byte {error.object[error.start]:#04x} after this line")
    except (ValueError, RecursionError) as error:
        problems.add("invalid JSON", path, document.line, str(error))
