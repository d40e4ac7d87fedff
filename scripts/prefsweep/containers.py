"""What a file is, told by its content: JSON lines, a JSON array, CSV or Parquet, plain or gzipped; and its rows.

All are read as streams: a million rows need the memory of one and a buffer.
"""

import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import orjson

from prefsweep.csv_rows import csv_rows, delimiter_of
from prefsweep.failures import StageError
from prefsweep.json_rows import element_rows, line_rows
from prefsweep.rows import Problems, Row

Kind = Literal["JSON lines", "JSON array", "JSON mapping", "CSV", "Parquet"]

SUFFIXES = ("jsonl", "json", "ndjson", "csv", "tsv", "parquet")
"""What the names of data files end in, before an optional `.gz`."""

_BUFFER = 1 << 20
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"BZh": "compressed with bzip2",
    b"\xfd7zXZ\x00": "compressed with xz",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_MAPPING = re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\{')

Progress = Callable[[int], None]
"""Told how many more bytes of a file have been read."""


def is_data_file(name: Path) -> bool:
    """Whether a file in a folder, named from there, is meant: by its ending, and nothing hidden."""
    parts = name.name.lower().removesuffix(".gz").rsplit(".", 1)
    hidden = any(part.startswith(".") for part in name.parts)
    return not hidden and parts[-1] in SUFFIXES and len(parts) == 2


@dataclass(frozen=True)
class Container:
    """How a file holds its rows."""

    path: Path
    kind: Kind
    gzipped: bool

    def __str__(self) -> str:
        return f"{self.kind}, gzipped" if self.gzipped else self.kind

    @property
    def typed(self) -> bool:
        """Whether values have types: all cells of CSV are text."""
        return self.kind != "CSV"

    def rows(self, problems: Problems, progress: Progress | None = None) -> Iterator[Row]:
        """The rows, each with the 1-based line it starts on, in Parquet with its number.

        What is wrong with single rows goes to `problems`. Raises StageError of class `data` when the file has no
        rows or is damaged.
        """
        before, empty = problems.total, True
        try:
            for row in self._rows(problems, progress):
                empty = False
                yield row
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise StageError("data", f"{self.path}: damaged gzip file ({error})", "Copy the file again.") from error
        if empty and problems.total == before:
            raise StageError("data", f"{self.path}: 0 rows", "Write at least one row into the file.")

    def _rows(self, problems: Problems, progress: Progress | None) -> Iterator[Row]:
        if self.kind == "Parquet":
            from prefsweep.parquet_rows import parquet_rows

            yield from parquet_rows(self.path, problems, progress)
            return
        with _opened(self.path, progress) as stream:
            if self.kind == "CSV":
                yield from csv_rows(stream, self.path, problems)
            elif self.kind == "JSON lines":
                yield from line_rows(stream, self.path, problems)
            else:
                yield from element_rows(stream, self.path, problems, keyed=self.kind == "JSON mapping")


def container_of(path: Path) -> Container:
    """What a file is. Raises StageError of class `data` when it is nothing that holds rows; never waits for a pipe."""
    if not path.exists():
        raise StageError("data", f"{path}: no such file", "Check the path in the study or dataset file.")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not a regular file (a pipe or device)"
        raise StageError("data", f"{path}: {what}", f"Name a file: {', '.join(SUFFIXES)}, perhaps gzipped.")
    with path.open("rb") as raw:
        gzipped = raw.read(2) == b"\x1f\x8b"
    try:
        with _opened(path) as stream:
            head = stream.read(_BUFFER)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise StageError("data", f"{path}: damaged gzip file ({error})", "Copy the file again.") from error
    if head.startswith(b"PAR1"):
        if gzipped:
            raise StageError("data", f"{path}: a gzipped Parquet file", "Unpack it: Parquet is compressed inside.")
        return Container(path, "Parquet", gzipped)
    return Container(path, _text_kind(path, head), gzipped)


@contextmanager
def _opened(path: Path, progress: Progress | None = None) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked if it is gzipped; `progress` hears of the packed ones."""
    with io.BufferedReader(_Counted(path, progress), _BUFFER) as raw:
        if raw.peek(2)[:2] != b"\x1f\x8b":
            yield raw
            return
        with gzip.GzipFile(fileobj=raw) as unpacked:
            yield io.BufferedReader(unpacked, _BUFFER)


class _Counted(io.FileIO):
    """A file that says how far it has been read."""

    def __init__(self, path: Path, progress: Progress | None) -> None:
        super().__init__(path)
        self._progress = progress

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer) or 0
        if self._progress:
            self._progress(count)
        return count


def _text_kind(path: Path, head: bytes) -> Kind:
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise _not_rows(path, what)
    head = head.removeprefix(b"\xef\xbb\xbf")
    lines = [line.strip() for line in head.splitlines()[:100] if line.strip()]
    if not lines:
        raise StageError("data", f"{path}: 0 rows", "Write at least one row into the file.")
    if lines[0].startswith(b"["):
        return "JSON array"
    if lines[0].startswith(b"{"):
        return "JSON mapping" if _is_mapping(path, head) else "JSON lines"
    if path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv")):
        return "CSV"
    if b"\0" in head:
        raise _not_rows(path, f"binary data that begins with {head[:8]!r}")
    if any(line.startswith(b"{") for line in lines):
        return "JSON lines"
    if delimiter_of(lines[0].decode(errors="replace")):
        return "CSV"
    raise _not_rows(path, f"text that begins with {lines[0][:20]!r}")


def _not_rows(path: Path, what: str) -> StageError:
    remedy = "Save it as JSON lines, a JSON array, CSV (all UTF-8) or Parquet; gzip is fine."
    return StageError("data", f"{path}: {what}, not rows", remedy)


def _is_mapping(path: Path, head: bytes) -> bool:
    """Whether a document that begins with `{` maps names to rows; JSON lines are often called .json, too."""
    if not path.name.lower().removesuffix(".gz").endswith(".json") or not _MAPPING.match(head):
        return False
    try:
        first = orjson.loads(head.partition(b"\n")[0])
    except orjson.JSONDecodeError:
        return True
    return isinstance(first, dict) and all(isinstance(value, dict) for value in first.values())
