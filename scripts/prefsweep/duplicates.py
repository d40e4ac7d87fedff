"""Training rows that repeat another one: exactly, or in almost the same words."""

from collections.abc import Sequence
from dataclasses import dataclass

from prefsweep.entries import Entry
from prefsweep.near_duplicates import groups
from prefsweep.splitting import normalised


@dataclass(frozen=True)
class Duplicates:
    """Rows that repeat another."""

    exact: frozenset[str]
    """Ids of rows whose content is an earlier row's."""
    near: dict[str, str]
    """Id of a row → of the one it nearly repeats: the smallest id of its group, which is kept."""

    def __contains__(self, name: str) -> bool:
        return name in self.exact or name in self.near


def find_duplicates(entries: Sequence[Entry]) -> Duplicates:
    """What repeats what, whatever the order of rows.

    A row's text is its prompt and answers without differences of case, width and white space. Rows that are labelled
    differently contradict each other and are no duplicates.
    """
    near: dict[str, str] = {}
    for label in (None, True, False):
        alike = [entry for entry in entries if not entry.repeated and entry.example.desirable is label]
        alike.sort(key=lambda entry: entry.id)
        for entry, leader in zip(alike, groups([_text(entry) for entry in alike]), strict=True):
            if alike[leader] is not entry:
                near[entry.id] = alike[leader].id
    return Duplicates(frozenset(entry.id for entry in entries if entry.repeated), near)


def _text(entry: Entry) -> str:
    row = entry.example
    parts = [*(turn["content"] for turn in row.messages), row.answer or "", row.rejected or ""]
    return normalised("\n".join(parts))
