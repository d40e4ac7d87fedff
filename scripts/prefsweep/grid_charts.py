"""Heat maps of two settings at once: the stronger a method's colour, the better."""

from typing import Any

import altair as alt

from prefsweep.charts import Figure, spec_of
from prefsweep.comparison import Comparison
from prefsweep.leaderboard import title_of
from prefsweep.lesson_charts import setting_text
from prefsweep.setting_grids import SettingGrid, levels
from prefsweep.wording import value_text

MOST_GRIDS_DRAWN = 12
_OPACITY = [0.06, 0.45]
"""Of the worst and the best: in every method's colour, in light and dark, the numbers keep 4.5:1 contrast."""


def grid_figures(comparison: Comparison, colours: dict[str, str]) -> list[Figure]:
    """One for each grid, the first dozen, all on one scale of colour."""
    grids = comparison.lessons.grids[:MOST_GRIDS_DRAWN]
    means = [cell.mean for grid in grids for cell in grid.cells]
    return [_figure(grid, comparison, colours[grid.method], (min(means), max(means))) for grid in grids]


def _figure(grid: SettingGrid, comparison: Comparison, colour: str, ends: tuple[float, float]) -> Figure:
    across, down = grid.across.replace("_", " "), grid.down.replace("_", " ")
    metric = title_of(comparison.primary_metric)
    cells = [
        (setting_text(cell.across), setting_text(cell.down), value_text(cell.mean, comparison.unit))
        for cell in grid.cells
    ]
    spoken = "; ".join(f"{across} {one}, {down} {other}: {text}" for one, other, text in cells)
    some = max(cell.points for cell in grid.cells)
    of_several = f", mean of up to {some} points" if some > 1 else ""
    rows = len(levels([cell.down for cell in grid.cells]))
    return Figure(
        id=f"grid-{grid.method}-{grid.across}-{grid.down}".replace("_", "-"),
        title=f"{grid.method}: {across} × {down}",
        note=f"{metric} on the development half{of_several}; stronger is better",
        description=f"{metric} of {grid.method} by {across} and {down}: {spoken}",
        spec=spec_of(_heat(grid, comparison, colour, ends), height=36 * rows),
        alone=f"{metric} of {grid.method}: {across} × {down}",
    )


def _heat(grid: SettingGrid, comparison: Comparison, colour: str, ends: tuple[float, float]) -> Any:
    rows = [
        {
            "across": setting_text(cell.across),
            "down": setting_text(cell.down),
            "mean": cell.mean,
            "text": value_text(cell.mean, comparison.unit),
            "points": cell.points,
        }
        for cell in grid.cells
    ]
    across, down = (
        [setting_text(value) for value in levels([getattr(cell, side) for cell in grid.cells])]
        for side in ("across", "down")
    )
    chart = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("across:N").sort(across).title(grid.across.replace("_", " ")).axis(labelAngle=0),
        y=alt.Y("down:N").sort(down).title(grid.down.replace("_", " ")),
        tooltip=[alt.Tooltip("text:N", title=title_of(comparison.primary_metric)), alt.Tooltip("points:Q")],
    )
    better = _OPACITY if comparison.direction == "higher" else _OPACITY[::-1]
    strength = alt.Opacity("mean:Q").scale(domain=list(ends), range=better, zero=False).legend(None)
    return alt.layer(
        chart.mark_rect(color=colour, cornerRadius=3, stroke=None).encode(opacity=strength),
        chart.mark_text(fontSize=11).encode(text="text:N"),
    )
