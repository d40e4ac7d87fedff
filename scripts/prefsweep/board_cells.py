"""Cells of the leaderboard: what is read, what the column sorts by, and a short note below."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from prefsweep.wording import signed, value_text


@dataclass(frozen=True)
class Cell:
    """A table cell: what is read and what the column sorts by (empty sorts last)."""

    text: str
    value: str = ""
    note: str = ""

    def noted(self, note: str) -> "Cell":
        """The same cell with a note."""
        return replace(self, note=note)


EMPTY = Cell("")
NOTHING = Cell("n/a")


def cell(value: float | None, text: Callable[[float], str]) -> Cell:
    """A number as a cell; `n/a` where there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return Cell(text(value), f"{value:.10g}")


def value_cell(value: float | None, unit: str) -> Cell:
    """A mean in its unit."""
    return cell(value, lambda number: value_text(number, unit))


def difference_cell(value: float | None, unit: str) -> Cell:
    """A difference with its sign."""
    return cell(value, lambda number: signed(number, unit))


def minutes(seconds: float) -> str:
    """A duration as people say it: `48 s`, `12.5 min`, `3.2 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
