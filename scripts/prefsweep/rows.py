"""A row with the line it starts on, and every problem rows can have.

Nothing is skipped silently: what cannot be used becomes a problem with its place, and all are reported together
before anything is spent; where a data set asks for it, rows with certain problems are dropped, and counted.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from prefsweep.failures import StageError

Row = tuple[int, dict[str, Any]]
"""The 1-based line a row starts on, and its columns."""

SHOWN = 10
"""How many places of each kind of problem an error names."""

REMEDIES = {
    "invalid JSON": "write complete JSON objects, in JSON lines one per line; a cut-off end means an incomplete copy",
    "not an object": "a row is a JSON object such as {...}",
    "invalid CSV": "quote fields that hold a comma, a quote or a line break, and double the quotes in them",
    "wrong number of columns": "give every row as many fields as the header",
    "not UTF-8": "save the file as UTF-8",
    "unprintable text": "remove NUL characters and unpaired surrogates: no tokenizer can read them",
    "missing field": "add the field or delete the row",
    "wrong type": "give the field the type that is named",
    "empty text": "write the text or delete the row",
    "wrong turns": "an optional system turn, then user and assistant in turn, ending as described",
    "equal answers": "a pair needs two different answers: correct or delete the row",
    "wrong label": "write the JSON value true or false, without quotes",
    "unscored": "a pair needs two completions with a score that is a number",
    "tied scores": "a pair needs two different scores",
    "one label only": "KTO learns from desirable and undesirable answers: add rows of the other kind",
    "not supported": "prefsweep compares text-only chats: remove the field or the row",
    "chat template": "change the turns to what the model's chat template accepts",
    "special token": "remove it: the chat template adds such tokens, and in a text they end or forge turns",
}
"""Kinds of problem a row can have, each with what to do about it."""

Droppable = Literal[
    "missing_field", "empty_text", "wrong_turns", "equal_answers", "unscored", "tied_scores", "not_supported",
    "special_token",
]  # fmt: skip
"""Kinds a data set's `policies` may drop: faults of single rows. The others say that the file is not what it seems."""

DROPPABLE: tuple[Droppable, ...] = get_args(Droppable)


class RowProblem(Exception):
    """A row that cannot be used: `kind` is a key of REMEDIES, the text says what is wrong with this one."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass
class Problems:
    """Every problem of a data set's files: counts per kind, and the first few places of each."""

    counts: dict[str, int] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def add(self, kind: str, path: Path, line: int, detail: str, column: int | None = None) -> None:
        """Note one problem at a 1-based line (and column); `kind` is a key of REMEDIES."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        places = self.places.setdefault(kind, [])
        if len(places) < SHOWN:
            place = f"{path}:{line}" if column is None else f"{path}:{line}:{column}"
            places.append(f"{place}: {detail}")

    def raise_if_any(self) -> None:
        """Raise a StageError of class `data` that lists them all, if there are any."""
        if not self.counts:
            return
        parts = [f"{self.total:,} {'row' if self.total == 1 else 'rows'} cannot be used"]
        for kind, count in self.counts.items():
            parts.append(f"{kind} ({count:,}): {REMEDIES[kind]}{_policy(kind)}")
            parts += [f"  {place}" for place in self.places[kind]]
            if count > SHOWN:
                parts.append(f"  … and {count - SHOWN:,} more")
        raise StageError("data", "\n".join(parts))


def policy_of(kind: str) -> str:
    """The name of a kind in a dataset file."""
    return kind.replace(" ", "_")


def _policy(kind: str) -> str:
    droppable = policy_of(kind) in DROPPABLE
    return f"; or drop such rows: `policies: {{{policy_of(kind)}: drop}}` in the dataset" if droppable else ""
