"""Which format a file's rows have: told from their columns and values, never guessed between two."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefsweep.failures import StageError
from prefsweep.formats import Content, Format, look_of
from prefsweep.rows import Row
from prefsweep.shapes import llama_factory, speakers, swift, transcripts, trl
from prefsweep.shapes.scored import Scored

PEEKED = 100
"""Rows among which one must show the format: the first few may be the faulty ones."""


def known_formats(scored: Scored) -> tuple[Format, ...]:
    """Every format there is."""
    families = (swift, trl, llama_factory, transcripts, speakers)
    return (*(form for family in families for form in family.FORMATS), *scored.formats())


def known_columns() -> set[str]:
    """Every column some format reads, those that a row may have beside what its format needs included."""
    return {"system", *llama_factory.OPTIONAL}.union(*(form.columns for form in known_formats(Scored())))


def detected(path: Path, rows: Sequence[Row], accepted: Collection[Content], scored: Scored) -> Format:
    """The one format of these rows, the first of a file.

    The first row decides whose values all look like what a format needs; where none does, the first that has a
    format's columns. Raises StageError of class `data` when two formats fit, or none.
    """
    candidates = [form for form in known_formats(scored) if form.content in accepted]
    undecided: Format | None = None
    for line, row in rows:
        fitting = [form for form in candidates if form.fits(row)]
        decided = [form for form in fitting if form.decided_by(row)]
        if len(decided) > 1:
            what = f"{path}:{line}: the columns ({_columns(row)}) fit {len(decided)} formats"
            raise StageError("data", "\n  ".join([what, *map(str, decided)]), _remedy(decided[0], "only those of one"))
        if decided:
            return decided[0]
        undecided = undecided or next(iter(fitting), None)
    if undecided:
        return undecided
    line, row = rows[0]
    nearest = min(candidates, key=lambda form: _distance(form, row))
    what = f"{path}:{line}: the columns ({_columns(row)}) fit no known format"
    raise StageError("data", f"{what}; the nearest is {nearest}; {_difference(nearest, row)}", _remedy(nearest, "them"))


def _columns(row: Mapping[str, Any]) -> str:
    return ", ".join(sorted(row)) or "none"


def _distance(form: Format, row: Mapping[str, Any]) -> int:
    """How far a row is from a format: a column under another heading is nearer than one that looks otherwise, and that
    nearer than one that no other column of the row could be."""
    missing = [name for name in form.columns if name not in row]
    spare = [value for name, value in row.items() if name not in form.columns]
    distance = 2 * len(form.otherwise(row))
    for name in missing:
        renamed = next((index for index, value in enumerate(spare) if _could_be(value, form.columns[name])), None)
        distance += 3 if renamed is None else 1
        if renamed is not None:
            del spare[renamed]
    return distance


def _could_be(value: Any, looks: Collection[str]) -> bool:
    """Whether a value may stand in a column: looks decide, and a column of any look is a label's."""
    return look_of(value) in looks if looks else isinstance(value, bool)


def _difference(form: Format, row: Mapping[str, Any]) -> str:
    parts = [f"{name} is missing" for name in form.columns if name not in row]
    parts += [f"{name} looks like a {look}" for name, look in form.otherwise(row).items()]
    parts += [f"{name} does not belong there" for name in sorted(form.without) if row.get(name) is not None]
    return "here " + " and ".join(parts)


def _remedy(form: Format, which: str) -> str:
    example = ", ".join(f"{name}: …" for name in form.columns)
    return f"Name {which} under `columns` in the dataset file, such as columns: {{{example}}}; see docs/formats.md."
