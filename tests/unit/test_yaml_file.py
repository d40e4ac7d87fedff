"""Strict YAML: the traps are errors with a line, or read as meant."""

import math
from pathlib import Path

import pytest

from prefsweep.yaml_file import Document, YamlError, load_yaml, reread


def load(folder: Path, text: str | bytes) -> Document:
    path = folder / "study.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_yaml(path)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("5e-6", 5e-6),
        ("2.0e-5", 2e-5),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-3", -3),
        ("0", 0),
        ("0.10", 0.1),
        ("1_000", 1000),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("0x10", "0x10"),
        ("'010'", "010"),
        ("'5e-6'", "5e-6"),
        ("ünïcödé 🎉", "ünïcödé 🎉"),
        ('"\\ud83c\\udf89"', "🎉"),
        ("$HOME", "$HOME"),
        ("=", "="),
    ],
)
def test_a_scalar_reads_as_it_looks(tmp_path: Path, written: str, meant: object) -> None:
    value = load(tmp_path, f"key: {written}\n").value["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_infinities_and_nan_are_numbers_for_the_typed_config_to_refuse(tmp_path: Path) -> None:
    values = load(tmp_path, "a: .inf\nb: -.INF\nc: .NaN\n").value
    assert values["a"] == math.inf
    assert values["b"] == -math.inf
    assert math.isnan(values["c"])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' is already on line 1; keep one of them"),
        ("m:\n  dpo: {beta: 1,\n    beta: 2}\n", 3, "'beta' is already on line 2"),
        (
            "a: 1\nb: 010\n",
            2,
            "010 starts with a zero, which some readers take for octal; write 10,",
        ),
        ("b: -08.5\n", 1, "write -8.5"),
        ("b: 00\n", 1, "write 0,"),
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "not valid YAML"),
        ("a: 1\n\tb: 2\n", 2, "not valid YAML"),
        ("a: 1\nb: &x 2\nc: *x\n", 2, "anchors and aliases are not supported"),
        ("<<: {a: 1}\n", 1, "merge keys"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, "is not supported; write a plain value"),
        ("a: !!binary aGk=\n", 1, "is not supported"),
        ("a: !!int x\n", 1, "'x' is not of type int"),
        ('a: 1\nb: "\\ud83c"\n', 2, "half a character"),
        ("a:\n  1: x\n", 2, "the key 1 is not text; put it in quotes"),
        ("a:\n  ? [x]\n  : y\n", 2, "is not text"),
        ("- 1\n", 1, "not a mapping; write `key: value` lines"),
        ("\n\njust text\n", 3, "not a mapping; write `key: value` lines"),
        ("", 1, "the file is empty"),
        ("# nothing\n\n", 1, "the file is empty"),
        ("a: 1\n---\nb: 2\n", 2, "not valid YAML"),
        ("a: 1\nb: \x07\n", 2, "control character '\\x07'"),
        ("a: 1\nb: caf\xe9\n".encode("latin-1"), 2, "not UTF-8 text (byte 0xe9 at offset 11)"),
        ("a: 1\n".encode("utf-16"), 1, "not UTF-8 text"),
        ("a: " + "[" * 3000, 1, "nested too deeply"),
    ],
)
def test_a_trap_is_an_error_with_its_line(tmp_path: Path, text: str | bytes, line: int, words: str) -> None:
    with pytest.raises(YamlError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'study.yaml'}:{line}: ")
    assert words in str(caught.value)
    assert ";" in str(caught.value)


def test_texts_of_a_command_line_are_read_like_those_of_a_file() -> None:
    given = {"a": ["1", "5e-6", "no", "null"], "b": {"c": "true"}, "d": 3, "e": "x: y"}
    read = {"a": [1, 5e-6, "no", None], "b": {"c": True}, "d": 3, "e": "x: y"}
    assert reread(given, Path("command line")) == read
    with pytest.raises(YamlError, match="command line:1: 010 starts with a zero"):
        reread({"a": ["010"]}, Path("command line"))


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(YamlError, match="no such file"):
        load_yaml(tmp_path / "absent.yaml")
    with pytest.raises(YamlError, match="not a regular file"):
        load_yaml(tmp_path)


def test_byte_order_mark_and_carriage_returns_are_accepted(tmp_path: Path) -> None:
    document = load(tmp_path, b"\xef\xbb\xbfa: 1\r\nb: [x,\r\n  y]\r\n")
    assert document.value == {"a": 1, "b": ["x", "y"]}
    assert document.line_of(("b", 1)) == 3


def test_every_key_and_item_knows_its_line(tmp_path: Path) -> None:
    document = load(tmp_path, "study: x\nmethods:\n  dpo:\n    beta:\n      - 0.1\n      - 0.2\nseeds: [0,\n  1]\n")
    lines = {("study",): 1, ("methods", "dpo"): 3, ("methods", "dpo", "beta", 1): 6, ("seeds", 1): 8, (): 1}
    assert {location: document.line_of(location) for location in lines} == lines


def test_parts_that_were_not_written_lead_to_the_nearest_value(tmp_path: Path) -> None:
    document = load(tmp_path, "a: 1\nmodel:\n  path: x\n")
    assert document.line_of(("model", "LocalModel", "path")) == 3
    assert document.line_of(("model", "template")) == 2
    assert document.line_of(("absent",)) == 1
    assert str(document.error(("model", "path"), "no; yes")) == f"{document.path}:3: no; yes"
