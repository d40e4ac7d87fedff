"""Files are whole or absent, and equal content has equal hashes."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefsweep.files import (
    canonical_json,
    published_directory,
    read_jsonl,
    sha256_of_json,
    write_json,
    write_jsonl,
)


def test_equal_values_hash_alike_and_nan_is_refused() -> None:
    assert sha256_of_json({"a": 1, "b": [2.5]}) == sha256_of_json({"b": [2.5], "a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_a_failed_write_keeps_the_former_content(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("inf")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


def test_an_interrupted_rename_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_json(tmp_path / "record.json", {})
    assert not list(tmp_path.iterdir())


def test_written_files_honour_the_umask(tmp_path: Path) -> None:
    previous = os.umask(0o027)
    try:
        write_json(tmp_path / "record.json", {})
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "record.json").stat().st_mode) == 0o640


def test_lines_read_back(tmp_path: Path) -> None:
    rows = [{"text": "a\nb 🌿"}, {"text": "\u2028"}]
    write_jsonl(tmp_path / "rows.jsonl", rows)
    assert read_jsonl(tmp_path / "rows.jsonl") == rows


def test_lines_that_break_off_leave_the_former_content(tmp_path: Path) -> None:
    def rows() -> Iterator[int]:
        yield 1
        raise RuntimeError("the second row cannot be made")

    path = tmp_path / "rows.jsonl"
    write_jsonl(path, [0])
    with pytest.raises(RuntimeError, match="second row"):
        write_jsonl(path, rows())
    assert read_jsonl(path) == [0]
    assert [file.name for file in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "merged"
    with published_directory(target) as staging:
        (staging / "a").write_text("first")
    with pytest.raises(RuntimeError), published_directory(target) as staging:
        (staging / "a").write_text("second")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["merged"]
    assert (target / "a").read_text() == "first"
