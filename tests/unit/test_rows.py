"""Reading files row by row: every fault has a place, nothing is skipped silently."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from prefsweep.failures import StageError
from prefsweep.containers import container_of
from prefsweep.rows import Problems


def read(path: Path, content: str | bytes) -> tuple[list[tuple[int, dict[str, Any]]], list[str]]:
    """The rows of a file with this content and the places of its problems, the folder left out."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    problems = Problems()
    rows = list(container_of(path).rows(problems))
    places = [place.replace(f"{path.parent}/", "") for places in problems.places.values() for place in places]
    return rows, places


def test_json_lines_keep_their_line_numbers(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbf{"a": "\xc3\xa9"}\r\n\n  \n{"a": "\xf0\x9f\x8d\x9a"}'
    assert read(tmp_path / "x.jsonl", content) == ([(1, {"a": "é"}), (4, {"a": "🍚"})], [])


def test_csv_rows_start_on_their_physical_line(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfquestion, content\r\n"two\r\nlines","say ""hi"", you"\r\n\r\nlast,row'
    rows, places = read(tmp_path / "x.csv", content)
    first = {"question": "two\r\nlines", "content": 'say "hi", you'}
    assert rows == [(2, first), (5, {"question": "last", "content": "row"})]
    assert places == []


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ('{"a": 1}\n{"a": }\n{"a": 2}\n', "x.jsonl:2:7: Expecting value"),
        ('{"a": 1}\n{"a": "cut o', "x.jsonl:2:7: Unterminated string"),
        ('{"a": 1}{"a": 2}\n', "x.jsonl:1:9: Extra data"),
        ('{"a": 1}\n{"a": NaN}\n', "x.jsonl:2: NaN is not JSON"),
        ('{"a": 1}\n["a"]\n', "x.jsonl:2: a JSON list"),
        ('{"a": 1}\n{"a": "\\ud800x"}\n', "x.jsonl:2: an escaped NUL or unpaired surrogate"),
        ('{"a": 1}\n{"a": "\\udc00"}\n', "x.jsonl:2: an escaped NUL or unpaired surrogate"),
        ('{"a": 1}\n{"a": "\\u0000"}\n', "x.jsonl:2: an escaped NUL or unpaired surrogate"),
        (b'{"a": 1}\n{"a": "\0"}\n', "x.jsonl:2:8: NUL"),
        ('{"a": 1}\n{"a": "caf\xe9"}\n'.encode("latin-1"), "x.jsonl:2: byte 0xe9 at offset 19"),
        (b'{"a": 1}\n{"a": "\xed\xa0\x80"}\n', "x.jsonl:2: byte 0xed at offset 16"),
        ('{"a": 1}\n{"a": ' + "9" * 5000 + "}\n", "x.jsonl:2: Exceeds the limit"),
    ],
)
def test_a_bad_json_line_is_a_problem_with_its_place(tmp_path: Path, content: str | bytes, place: str) -> None:
    rows, places = read(tmp_path / "x.jsonl", content)
    assert [found[: len(place)] for found in places] == [place]
    assert all(line != 2 for line, _ in rows)


def test_surrogate_pairs_and_escaped_backslashes_are_text(tmp_path: Path) -> None:
    content = json.dumps({"a": "🍚"}) + "\n" + '{"a": "\\\\ud800 \\\\u0000"}\n'
    assert read(tmp_path / "x.jsonl", content) == ([(1, {"a": "🍚"}), (2, {"a": "\\ud800 \\u0000"})], [])


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("a,b\n1,2\n3\n4,5\n", "x.csv:3: 1 fields, 2 in the header"),
        ('a,b\n1,2\n"x"y,2\n', "x.csv:3: ',' expected after '\"'"),
        ('a,b\n1,2\n"never\nclosed,2\n', "x.csv:3: unexpected end of data (row ends on line 4)"),
    ],
)
def test_a_bad_csv_row_is_a_problem_with_its_place(tmp_path: Path, content: str, place: str) -> None:
    rows, places = read(tmp_path / "x.csv", content)
    assert [found[: len(place)] for found in places] == [place]
    assert rows[0] == (2, {"a": "1", "b": "2"})


def test_long_csv_fields_are_read(tmp_path: Path) -> None:
    rows, places = read(tmp_path / "x.csv", f"a\n{'x' * 200_000}\n")
    assert len(rows[0][1]["a"]) == 200_000
    assert places == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.jsonl", b"", "0 rows"),
        ("x.jsonl", b"\n\n", "0 rows"),
        ("x.csv", b"a,b\n", "0 rows"),
        ("x.jsonl", b"\x1f\x8b\x08\x00", "gzip-compressed"),
        ("x.jsonl", b"PAR1....", "a Parquet file"),
        ("x.jsonl", '{"a": 1}\n'.encode("utf-16"), "UTF-16"),
        ("x.jsonl", b'[\n {"a": 1}\n]\n', "one JSON array"),
        ("x.csv", b"a,a\n1,2\n", "'a' twice"),
    ],
)
def test_what_is_no_table_of_rows_is_refused(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    with pytest.raises(StageError, match=words) as caught:
        read(tmp_path / name, content)
    assert caught.value.failure == "data"
    assert str(tmp_path / name) in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    for name, words in (("pipe.jsonl", "not a regular file"), ("", "a folder"), ("absent", "no such file")):
        with pytest.raises(StageError, match=words):
            list(container_of(tmp_path / name).rows(Problems()))


def test_problems_are_counted_and_the_first_ten_listed(tmp_path: Path) -> None:
    problems = Problems()
    problems.raise_if_any()
    for line in range(1, 26):
        problems.add("empty text", tmp_path / "x.jsonl", line, "content is empty")
    problems.add("wrong label", tmp_path / "x.jsonl", 30, "label is 1")
    with pytest.raises(StageError) as caught:
        problems.raise_if_any()
    lines = str(caught.value).splitlines()
    assert lines[0] == "26 rows cannot be used"
    assert lines[1].startswith("empty text (25): ")
    assert lines[11].endswith("x.jsonl:10: content is empty")
    assert lines[12] == "  … and 15 more"
    assert lines[14].endswith("x.jsonl:30: label is 1")
