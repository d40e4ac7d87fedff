"""Files told apart by content and read row by row: every fault has a place, nothing is skipped silently."""

import csv
import gzip
import io
import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from prefsweep.containers import container_of
from prefsweep.failures import StageError
from prefsweep.rows import Problems

gzipped = partial(gzip.compress, mtime=0)


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
        ("x.jsonl", b"\xef\xbb\xbf", "0 rows"),
        ("x.jsonl", b"[ ]", "0 rows"),
        ("x.jsonl", gzipped(b""), "0 rows"),
        ("x.jsonl", b"\x1f\x8b\x08\x00", "damaged gzip file"),
        ("x.jsonl", gzipped(b'{"a": 1}\n' * 9999)[:-20], "damaged gzip file"),
        ("x.jsonl", b"PAR1....", "damaged Parquet file"),
        ("x.parquet.gz", gzipped(b"PAR1...."), "a gzipped Parquet file"),
        ("x.jsonl", '{"a": 1}\n'.encode("utf-16"), "UTF-16 text, not rows"),
        ("x.jsonl", b"PK\x03\x04....", "a zip archive, not rows"),
        ("x.jsonl", bytes(range(256)), "binary data that begins with"),
        ("x.jsonl", b"hello\nworld\n", "text that begins with b'hello', not rows"),
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


ROWS = [{"a": f"row {number}\n😊", "b": [{"c": "x"}]} for number in range(3)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow
    from pyarrow.parquet import write_table

    buffer = io.BytesIO()
    write_table(pyarrow.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["x.jsonl", "x.json", "x.csv", "x.parquet", "x"])
@pytest.mark.parametrize(
    ("content", "kind", "lines"),
    [
        (LINES.encode(), "JSON lines", [1, 2, 3]),
        (json.dumps(ROWS).encode(), "JSON array", [1, 1, 1]),
        (b"\xef\xbb\xbf" + json.dumps(ROWS, indent=1).encode(), "JSON array", [2, 10, 18]),
        (parquet(ROWS), "Parquet", [1, 2, 3]),
        (gzipped(LINES.encode()), "JSON lines, gzipped", [1, 2, 3]),
        (gzipped(json.dumps(ROWS, indent=1).encode()), "JSON array, gzipped", [2, 10, 18]),
    ],
)
def test_the_content_says_what_a_file_is(
    tmp_path: Path, name: str, content: bytes, kind: str, lines: list[int]
) -> None:
    rows, places = read(tmp_path / name, content)
    assert str(container_of(tmp_path / name)) == kind
    assert rows == list(zip(lines, ROWS, strict=True))
    assert places == []


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_is_known_by_its_header(tmp_path: Path, name: str, separator: str) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator).writerows([["a", "b"], ["1, 2;\t3", 'say "hi"\nyou']])
    rows, places = read(tmp_path / name, gzipped(buffer.getvalue().encode()))
    assert rows == [(2, {"a": "1, 2;\t3", "b": 'say "hi"\nyou'})]
    assert places == []


@pytest.mark.parametrize("indent", [None, 1])
def test_a_mapping_of_names_to_rows_is_read_as_its_values(tmp_path: Path, indent: int | None) -> None:
    mapping = {f"name {number}": row for number, row in enumerate(ROWS)}
    rows, places = read(tmp_path / "x.json", json.dumps(mapping, indent=indent))
    assert [row for _, row in rows] == ROWS
    assert places == []
    assert str(container_of(tmp_path / "x.json")) == "JSON mapping"


def test_json_lines_called_json_stay_json_lines(tmp_path: Path) -> None:
    content = '{"chosen": {"value": "a"}, "id": 1}\n' * 2
    assert [line for line, _ in read(tmp_path / "x.json", content)[0]] == [1, 2]


def test_a_row_larger_than_the_buffer_keeps_the_next_ones_line(tmp_path: Path) -> None:
    rows = [{"a": "x\n" * 700_000}, {"a": "é" * 1_200_000}, {"a": "last"}]
    content = json.dumps(rows, indent=1, ensure_ascii=False)
    assert read(tmp_path / "x.json", content) == ([(2, rows[0]), (5, rows[1]), (8, rows[2])], [])


@pytest.mark.parametrize(
    ("content", "place", "count"),
    [
        ('[\n{"a": 1},\n{"a": }\n]', "x.json:3:7: Expecting value", 1),
        ('[\n{"a": 1},\n{"a": "cut o', "x.json:3:7: Unterminated string", 1),
        ('[{"a": 1},\n {"a": 2}', "x.json:2:10: Expecting ']'", 2),
        ('[{"a": 1}\n {"a": 2}]', "x.json:2:2: Expecting ']'", 1),
        ('[{"a": 1},\n]', "x.json:2:1: Expecting value", 1),
        ('[{"a": 1}]\n\n{"a": 2}', "x.json:3:1: Extra data", 1),
        ('[{"a": 1},\n2,\n{"a": 3}]', "x.json:2: a JSON int", 2),
        ('[{"a": 1},\n{"a": NaN}]', "x.json:2: NaN is not JSON", 1),
        ('[{"a": 1},\n{"a": "\\ud800"},\n{"a": 3}]', "x.json:2: an escaped NUL or unpaired surrogate", 2),
        ('[{"a": 1},\n{"a": "caf\xe9"}]'.encode("latin-1"), "x.json:1: byte 0xe9", 0),
    ],
)
def test_a_fault_in_an_array_has_line_and_column(tmp_path: Path, content: str | bytes, place: str, count: int) -> None:
    rows, places = read(tmp_path / "x.json", content)
    assert [found[: len(place)] for found in places] == [place]
    assert len(rows) == count


def test_faults_far_into_an_array_are_placed_as_near_ones(tmp_path: Path) -> None:
    """The buffer has been filled several times by then."""
    good = ",\n".join(json.dumps({"a": "x" * 1000}) for _ in range(4000))
    _, places = read(tmp_path / "x.json", f'[{good},\n  {{"a": oops}}]')
    assert places == ["x.json:4001:9: Expecting value"]


def test_only_a_buffer_of_an_array_is_in_memory(tmp_path: Path) -> None:
    import tracemalloc

    path = tmp_path / "x.json"
    with path.open("w") as stream:
        stream.write("[" + ",\n".join(json.dumps({"a": "x" * 1000}) for _ in range(30_000)) + "]")
    tracemalloc.start()
    count = sum(1 for _ in container_of(path).rows(Problems()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 30_000
    assert peak < path.stat().st_size / 3


def test_unprintable_text_in_parquet_has_its_row(tmp_path: Path) -> None:
    rows, places = read(tmp_path / "x.parquet", parquet([{"a": "x"}, {"a": "\0"}]))
    assert rows == [(1, {"a": "x"})]
    assert places == ["x.parquet:2: a NUL or unpaired surrogate"]


@pytest.mark.parametrize("content", [LINES.encode(), gzipped(LINES.encode()), json.dumps(ROWS).encode(), parquet(ROWS)])
def test_progress_hears_of_every_byte(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    heard: list[int] = []
    list(container_of(path).rows(Problems(), heard.append))
    assert sum(heard) == len(content)
