"""Files that are either whole or absent: atomic writes, directories published by rename, content hashes."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

_CHUNK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text, so that it can be hashed.

    Raises ValueError on NaN and infinities, which are not JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_of_json(value: Any) -> str:
    """Hexadecimal SHA-256 of `canonical_json(value)`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def from_root(path: Path, root: Path) -> str:
    """A path relative to `root` when it is below it, so that a record does not depend on where a checkout is."""
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


@contextmanager
def replaced(path: Path) -> Iterator[TextIO]:
    """Yield a stream whose text is `path`'s content when the block succeeds; otherwise that stays what it was.

    The text goes to a temporary neighbour, is flushed to the disk and renamed over `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write `text` so that `path` holds either its former content or all of the new one."""
    with replaced(path) as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically. Raises ValueError on NaN and infinities."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write one JSON document per line, each as it comes, atomically. Raises ValueError on NaN and infinities."""
    with replaced(path) as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def read_jsonl(path: Path) -> list[Any]:
    """The documents of a JSON-lines file this project wrote."""
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


@contextmanager
def published_directory(path: Path) -> Iterator[Path]:
    """Yield an empty directory beside `path` that takes its place when the block succeeds.

    On an exception it is removed and `path` keeps its former content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        temporary.chmod(0o777 & ~_umask())
        yield temporary
        for entry in [temporary, *temporary.rglob("*")]:  # folders, too: they hold the names of what is in them
            if not entry.is_symlink():
                _sync(entry)
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync(path.parent)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
