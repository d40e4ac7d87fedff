"""Quality against each cost, as charts of all points: filled on the Pareto front, hollow where another beats them.

The charts share two parameters with the page's script: `brush` is what the reader drags over, `picked` are the points
that stand out.
"""

from collections.abc import Mapping
from typing import Any

import altair as alt

from prefsweep.charts import Figure, Rows, method_colour, method_shape, spec_of, value_format
from prefsweep.comparison import Comparison, PointComparison
from prefsweep.label_places import label_places
from prefsweep.leaderboard import title_of
from prefsweep.pareto import DISTANCE, Front, Objective, value_of
from prefsweep.plan import BASE
from prefsweep.table import Row
from prefsweep.wording import signed, value_text

HEIGHT = 270
MOST_INTERVALS = 30
"""Where there are more points, only those that are named have theirs drawn."""

_WIDTH, _PADDING, _AXIS = 340, 28, 45
_STANDS_OUT = "length(picked) == 0 || indexof(picked, datum.id) >= 0"


def tradeoff_figures(
    comparison: Comparison, front: Front, table: Mapping[str, Row], colours: dict[str, str]
) -> list[Figure]:
    """One figure for each cost of the front, then the distance from the base; `table` is `comparison.csv` by point."""
    figures = []
    for cost in (*front.objectives[1:], DISTANCE):
        values = {point: value for point in front.values if (value := value_of(table[point], cost)) is not None}
        if len(values) > 1:
            figures.append(_figure(cost, values, comparison, front, colours))
    return figures


def _figure(
    cost: Objective, values: Mapping[str, float], comparison: Comparison, front: Front, colours: dict[str, str]
) -> Figure:
    rows = _rows(cost, values, comparison, front)
    side = f"further {'right' if cost.higher else 'left'} is better" if cost in front.objectives else "not judged"
    few = "" if len(rows) <= MOST_INTERVALS else " of the named points"
    metric = title_of(comparison.primary_metric)
    spoken = "; ".join(f"{row['point']} {row['mean']:.3g} at {row['cost']:.4g}" for row in rows[:MOST_INTERVALS])
    return Figure(
        id=f"tradeoff-{cost.column}",
        title=f"against {cost.title}",
        note=f"{metric}, 95 % interval{few}; {side}",
        description=f"{metric} against {cost.title}: {spoken}",
        spec=spec_of(_scatter(cost, comparison, colours, rows), height=HEIGHT, width=_WIDTH, rows={"points": rows}),
        alone=f"{metric} against {cost.title}",
    )


def _rows(cost: Objective, values: Mapping[str, float], comparison: Comparison, front: Front) -> Rows:
    labels = {point.point: point.label for point in comparison.points}
    rows = [
        _row(point, comparison, labels.get(front.beaten_by[point.point] or ""))
        | {"cost": (value := values[point.point])}
        | {"spent": signed(value, "share") if cost.unit == "share" else f"{value:.3g}"}
        for point in comparison.points
        if point.point in values
    ]
    _place_names(rows)
    return rows


def _place_names(rows: Rows) -> None:
    """Where names stand, in the rows that have one; and whose intervals are drawn."""
    named = [row for row in rows if row["name"]]
    left, right = min(row["cost"] for row in rows), max(row["cost"] for row in rows)
    low, high = (end(row[key] for row in rows) for end, key in ((min, "low"), (max, "high")))
    room = _WIDTH - _AXIS - 2 * _PADDING
    places = label_places(
        [
            (
                _PADDING + room * (row["cost"] - left) / ((right - left) or 1),
                (HEIGHT - 40) * (high - row["mean"]) / ((high - low) or 1),
                row["name"],
            )
            for row in named
        ],
        _WIDTH - _AXIS,
    )
    for row, place in zip(named, places, strict=True):
        row |= vars(place)
    for row in rows:
        row["sure"] = bool(row["name"]) or len(rows) <= MOST_INTERVALS


def _row(point: PointComparison, comparison: Comparison, dominator: str | None) -> dict[str, Any]:
    mean = point.metrics[comparison.primary_metric].mean
    named = point.method == BASE or point.best_of_method or point.point == comparison.recommended
    return {
        "id": point.point,
        "point": point.label,
        "method": point.method,
        "mean": mean.estimate,
        "low": mean.low,
        "high": mean.high,
        "interval": f"{value_text(mean.low, comparison.unit)} to {value_text(mean.high, comparison.unit)}",
        "front": dominator is None,
        "beaten": dominator or "nothing",
        "name": point.method if named else "",
    }


def _scatter(cost: Objective, comparison: Comparison, colours: dict[str, str], rows: Rows) -> Any:
    chart = alt.Chart(alt.NamedData("points"))
    points = {"labelExpr": "format(100 * datum.value, '~g') + ' pp'"} if cost.unit == "share" else {}
    axis = alt.Axis(title=None, grid=False, **points)
    x = alt.X("cost:Q").scale(zero=False, padding=_PADDING, nice=False).axis(axis)
    y_axis = alt.Axis(title=None, **value_format(comparison.unit))
    y = alt.Y("mean:Q").scale(zero=False).axis(y_axis)
    colour, shape = method_colour(colours), method_shape(colours)
    shown = alt.condition(_STANDS_OUT, alt.value(1), alt.value(0.12))
    faint = alt.condition(_STANDS_OUT, alt.value(0.4), alt.value(0.06))
    tooltip = _tooltip(cost, comparison)
    tests = ("datum.sure", "!datum.front", "datum.front", "datum.name")
    intervals, beaten, best, named = (chart.transform_filter(test) for test in tests)
    marks = {"x": x, "y": y, "color": colour, "shape": shape, "opacity": shown, "tooltip": tooltip}
    name = {key: {"expr": f"datum.{key}"} for key in ("align", "dx", "dy")}
    brush = alt.selection_interval(name="brush", zoom=False)
    # Vega complains in the browser's console of a layer without a row.
    hollow = [] if all(row["front"] for row in rows) else [beaten.mark_point(filled=False, size=70, strokeWidth=1.5)]
    return alt.layer(
        intervals.mark_rule(strokeWidth=1.5).encode(
            x=x, y=alt.Y("low:Q").axis(y_axis), y2="high:Q", color=colour, opacity=faint
        ),
        *(layer.encode(**marks) for layer in hollow),
        best.mark_point(filled=True, size=100).encode(**marks).properties(name="best").add_params(brush),
        named.mark_text(fontSize=11, **name).encode(x=x, y=y, text="name:N", opacity=shown),
    ).add_params(alt.param(name="picked", value=[]))


def _tooltip(cost: Objective, comparison: Comparison) -> list[Any]:
    metric, unit = title_of(comparison.primary_metric), comparison.unit
    return [
        alt.Tooltip("point:N", title="point"),
        alt.Tooltip("mean:Q", title=metric, format=".1%" if unit == "share" else ".4~g"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("spent:N", title=cost.title),
        alt.Tooltip("beaten:N", title="dominated by"),
    ]
