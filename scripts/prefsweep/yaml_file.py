"""Strict YAML: what a file says is what it means, and every value knows its line.

YAML 1.1 reads `no` as false, `010` as eight and `5e-6` as text, and keeps the last of two equal keys. Here
the first stays text, the third is a number, and the second and the last are errors that say what to write.
"""

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]
"""The way to a value: keys of mappings and indices of lists, from the top."""

_TAG = "tag:yaml.org,2002:"
_LEADING_ZERO = re.compile(r"([-+]?)0[0_]*([0-9_]+.*)")


class YamlError(ValueError):
    """A file that cannot be used; the text reads `FILE:LINE: what; remedy`."""

    def __init__(self, path: Path, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line


@dataclass(frozen=True)
class Document:
    """A YAML file's mapping, with the line of each of its keys and items."""

    path: Path
    value: dict[str, Any]
    lines: dict[Location, int]

    def line_of(self, location: Iterable[Hashable]) -> int:
        """The 1-based line of a nested key or item.

        Parts the file does not have are passed over, so that pydantic's `loc`, which holds names of union
        members and of missing keys, leads to the nearest value that was written.
        """
        found: Location = ()
        for part in location:
            if isinstance(part, str | int) and (*found, part) in self.lines:
                found = (*found, part)
        return self.lines[found]

    def error(self, location: Iterable[Hashable], message: str) -> YamlError:
        """An error at a value's line. `message` says what is wrong and, after a semicolon, what to do."""
        return YamlError(self.path, self.line_of(location), message)


def load_yaml(path: Path) -> Document:
    """Read a YAML file that holds one mapping.

    Raises YamlError when it is missing, empty, not UTF-8, not YAML, or says something that YAML reads
    otherwise than it looks. Environment variables, anchors, merge keys and tags are not interpreted.
    """
    text = _text(path)
    try:
        node = _StrictLoader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = f"not valid YAML ({error.problem or error.context})"
        raise YamlError(path, line, f"{what}; correct this line") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"contains the control character {chr(error.character)!r}"
        raise YamlError(path, line, f"{what}; remove it") from None
    except RecursionError:
        raise YamlError(path, 1, "is nested too deeply; a study needs a handful of levels") from None
    if node is None:
        raise YamlError(path, 1, "the file is empty; write at least one `key: value` line")
    if not isinstance(node, yaml.MappingNode):
        raise YamlError(path, node.start_mark.line + 1, "not a mapping; write `key: value` lines")
    reader = _Reader(path)
    value: dict[str, Any] = reader.value_of(node, ())
    return Document(path, value, {(): 1} | reader.lines)


def reread(value: Any, source: Path) -> Any:
    """A value with its texts read as a file's plain scalars, as Snakemake's `--config` leaves them inside `[1, 2]`.

    Raises YamlError that names `source` for a text that YAML reads otherwise than it looks.
    """
    if isinstance(value, dict):
        return {key: reread(item, source) for key, item in value.items()}
    if isinstance(value, list):
        return [reread(item, source) for item in value]
    if not isinstance(value, str):
        return value
    tag = _StrictLoader("").resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
    mark = yaml.Mark(str(source), 0, 0, 0, None, 0)
    return _Reader(source).value_of(yaml.ScalarNode(tag, value, mark, mark), ())


def _text(path: Path) -> str:
    if not path.exists():
        raise YamlError(path, 1, "no such file; check the name and the folder")
    if not path.is_file():
        raise YamlError(path, 1, "not a regular file; name a YAML file")
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"not UTF-8 text (byte {content[error.start]:#04x} at offset {error.start})"
        raise YamlError(path, line, f"{what}; save the file as UTF-8") from None


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2's core schema and without aliases."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None):
            raise yaml.composer.ComposerError(
                None, None, "anchors and aliases are not supported: write the value out", event.start_mark
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


_StrictLoader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("null", r"~|null|Null|NULL|", ["", *"~nN"]),
    ("int", r"[-+]?[0-9][0-9_]*", [*"-+0123456789"]),
    ("float", r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", [*"-+."]),
):
    _StrictLoader.add_implicit_resolver(_TAG + _kind, re.compile(f"^(?:{_pattern})$"), _first)


class _Reader:
    """Turns nodes into plain values and notes their lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Location, int] = {}

    def value_of(self, node: yaml.Node, location: Location) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self._item(item, (*location, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        raise self._error(node, f"the tag {node.tag} is not supported; write a plain value")

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.value_of(key_node, location)
            if not isinstance(key, str):
                raise self._error(key_node, f"the key {key!r} is not text; put it in quotes")
            if key == "<<":
                raise self._error(key_node, "merge keys (<<) are not supported; write the keys out")
            if key in value:
                first = self.lines[(*location, key)]
                raise self._error(key_node, f"the key {key!r} is already on line {first}; keep one of them")
            self.lines[(*location, key)] = key_node.start_mark.line + 1
            value[key] = self.value_of(value_node, (*location, key))
        return value

    def _item(self, node: yaml.Node, location: Location) -> Any:
        self.lines[location] = node.start_mark.line + 1
        return self.value_of(node, location)

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = self._joined(node)
        kind = node.tag.removeprefix(_TAG)
        if kind in ("int", "float") and (padded := _LEADING_ZERO.fullmatch(text)):
            number = "".join(padded.groups())
            what = f"{text} starts with a zero, which some readers take for octal"
            raise self._error(node, f"{what}; write {number}, or '{text}' in quotes if it is text")
        try:
            return _SCALARS[kind](text)
        except KeyError:
            raise self._error(node, f"the tag {node.tag} is not supported; write a plain value") from None
        except ValueError:
            raise self._error(node, f"{text!r} is not of type {kind}; remove the tag") from None

    def _joined(self, node: yaml.Node) -> str:
        """The text, with characters whole that JSON escapes as two halves."""
        text: str = node.value
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise self._error(node, "contains half a character (a lone surrogate); write it whole") from None

    def _error(self, node: yaml.Node, message: str) -> YamlError:
        return YamlError(self.path, node.start_mark.line + 1, message)


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "bool": _boolean,
    "null": lambda text: None,
    "int": lambda text: int(text.replace("_", "")),
    "float": _float,
}
