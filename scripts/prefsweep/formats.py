"""What a shape of rows is: the columns it needs, what their values look like, and how a row becomes an example.

The shapes themselves are in `shapes/`, one module per family; `detection.py` lists them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Content = Literal["pairs", "labelled", "prompts"]
Turn = dict[str, str]
"""A chat turn: `role` (system, user, assistant) and `content`."""

Look = Literal["text", "transcript", "turn", "turns", "speeches"]
"""What a value looks like: text, a transcript (`\\n\\nHuman: …`), one turn, a list of turns, a list of lists."""


class Example(NamedTuple):
    """A row's meaning: a prompt, with two answers for pairs, with one and its label for labelled rows."""

    line: int
    messages: list[Turn]
    answer: str | None = None
    rejected: str | None = None
    desirable: bool | None = None


@dataclass(frozen=True)
class Format:
    """One shape of rows. `example` raises RowProblem for a row that has the columns and still does not fit."""

    name: str
    content: Content
    columns: Mapping[str, frozenset[Look]]
    """Column → how its values may look; no look at all: anything."""
    example: Callable[[int, dict[str, Any]], Example]
    without: frozenset[str] = field(default=frozenset())
    """Columns that make a row one of another format."""

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has the columns and no value that looks otherwise; null and numbers look like nothing."""
        return (
            self.columns.keys() <= row.keys()
            and not self.otherwise(row)
            and all(row.get(name) is None for name in self.without)
        )

    def otherwise(self, row: Mapping[str, Any]) -> dict[str, Look]:
        """The needed columns a row has whose values look otherwise, and how."""
        looks = {name: look_of(row[name]) for name in self.columns if name in row}
        return {
            name: look for name, look in looks.items() if look and self.columns[name] and look not in self.columns[name]
        }

    def decided_by(self, row: Mapping[str, Any]) -> bool:
        """Whether a row that fits shows it: every value that must look like something does."""
        return all(look_of(row[name]) for name, looks in self.columns.items() if looks)

    def __str__(self) -> str:
        wanted = (f"{name} ({' or '.join(sorted(looks))})" if looks else name for name, looks in self.columns.items())
        return f"{self.name}: {', '.join(wanted)}"


def look_of(value: Any) -> Look | None:
    """What a value looks like; None for null, numbers and empty lists."""
    match value:
        case str():
            return "transcript" if value.lstrip().startswith("Human:") else "text"
        case dict():
            return "turn"
        case [list(), *_]:
            return "speeches"
        case [_, *_]:
            return "turns"
    return None


ANY: frozenset[Look] = frozenset()
TEXT: frozenset[Look] = frozenset({"text"})
TRANSCRIPT: frozenset[Look] = frozenset({"transcript"})
TURN: frozenset[Look] = frozenset({"turn"})
TURNS: frozenset[Look] = frozenset({"turns"})
SPEECHES: frozenset[Look] = frozenset({"speeches"})

ANSWERS = frozenset(
    {"rejected_response", "rejected_messages", "chosen", "rejected", "completion", "completions", "output", "label"}
) | {"kto_tag"}
"""Columns that a file of prompts alone does not have."""
