"""Two swept settings at once: the mean of the primary metric wherever both were tried, per method.

Like the effects of single settings this is exploration on the development half, of which no verdict is made.
"""

import itertools
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from prefsweep.files import canonical_json
from prefsweep.findings import Findings
from prefsweep.plan import Point
from prefsweep.records.base import Record

MOST_LEVELS = 12
"""Of one setting: values drawn from a range seldom meet in a cell, and do not fit."""
_LEAST_FILLED = 0.5
"""Of the cells: fewer show which points were drawn, not what the settings did."""


class GridCell(Record):
    """Points that share two values."""

    across: Any
    down: Any
    points: int
    mean: float
    """Of the primary metric on the development half, over these points."""


class SettingGrid(Record):
    """One method's points by two of its settings."""

    method: str
    across: str
    down: str
    cells: list[GridCell]


def setting_grids(findings: Findings, method: str, points: Sequence[Point]) -> list[SettingGrid]:
    """A grid for each two settings that both take several values among these points, where most cells are filled."""
    names = dict.fromkeys(name for point in points for name in point.settings)
    swept = [name for name in names if 2 <= len(levels([p.settings.get(name) for p in points])) <= MOST_LEVELS]
    grids = [_grid(findings, method, points, *pair) for pair in itertools.combinations(swept, 2)]
    return [grid for grid in grids if _is_filled(grid)]


def levels(values: Sequence[Any]) -> list[Any]:
    """The different values, numbers in rising order, anything else in the plan's."""
    different = list({canonical_json(value): value for value in values}.values())
    numbers = all(isinstance(value, int | float) for value in different)
    return sorted(different) if numbers else different


def _grid(findings: Findings, method: str, points: Sequence[Point], across: str, down: str) -> SettingGrid:
    found: dict[str, list[Point]] = {}
    for point in points:
        found.setdefault(canonical_json([point.settings.get(across), point.settings.get(down)]), []).append(point)
    cells = [
        GridCell(
            across=own[0].settings.get(across),
            down=own[0].settings.get(down),
            points=len(own),
            mean=fmean(findings.development[point.id][findings.primary.name].mean.estimate for point in own),
        )
        for own in found.values()
    ]
    return SettingGrid(method=method, across=across, down=down, cells=cells)


def _is_filled(grid: SettingGrid) -> bool:
    rows, columns = (levels([getattr(cell, side) for cell in grid.cells]) for side in ("down", "across"))
    return len(grid.cells) >= _LEAST_FILLED * len(rows) * len(columns)
