"""What every record is: frozen, strict about its keys, and strict JSON in its file.

A file that reads back is a file this version wrote. Non-finite numbers become `null` on the way out.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from prefsweep.files import sha256_of, write_text


class Record(BaseModel):
    """A value that is written once and read by later stages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def write(self, path: Path) -> None:
        """Write the record as strict JSON, atomically."""
        write_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record back. Raises ValueError that names the file when it is not one of ours."""
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except ValidationError as error:
            raise ValueError(f"{path} is not a {cls.__name__} this version of prefsweep wrote: {error}") from error

    @classmethod
    def read_rows(cls, path: Path) -> Iterator[Self]:
        """The records of a JSON-lines file, one by one. Raises ValueError that names the line of one that is none."""
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                try:
                    yield cls.model_validate_json(line)
                except ValidationError as error:
                    message = f"{path}:{number} is no {cls.__name__} this version of prefsweep wrote: {error}"
                    raise ValueError(message) from error


class FileHash(Record):
    """A file below a directory, by content."""

    name: str
    bytes: int
    sha256: str


def hashed_files(directory: Path, skip: frozenset[str] = frozenset()) -> list[FileHash]:
    """Every file below `directory`, sorted by name, except in folders called one of `skip`."""
    return [
        FileHash(name=str(path.relative_to(directory)), bytes=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not skip.intersection(path.relative_to(directory).parts)
    ]


def read_document(path: Path) -> Any:
    """A JSON file as plain values."""
    return json.loads(path.read_text(encoding="utf-8"))
