"""The report's figures as Vega-Lite specifications: small single-view panels that the page lays out.

The page's CSS colours axes and text, so one picture serves the light and the dark page.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from prefsweep.comparison import Comparison, PointComparison
from prefsweep.leaderboard import ranked, title_of
from prefsweep.metrics import Metric
from prefsweep.palette import method_shapes
from prefsweep.plan import BASE

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

_NEUTRAL = "#868d98"

WIDTH = 340
MOST_POINTS_DRAWN = 24
_NAME_PADDING = 10
"""Pixels from a name to the axis: half a symbol, which may stand on it, and a gap."""

_CONFIG: Spec = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "labelFontSize": 11,
        "labelPadding": 6,
        "labelLimit": 190,
        "labelSeparation": 4,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "titlePadding": 10,
        "gridOpacity": 1,
        "labelColor": _NEUTRAL,
        "titleColor": _NEUTRAL,
        "gridColor": "#dfe3e8",
    },
    "axisX": {"tickCount": 5, "labelFlush": False},
    "axisY": {"tickCount": 5},
    "legend": {"disable": True},
}


@dataclass(frozen=True)
class Figure:
    """A panel: a Vega-Lite specification and the words that stand for it where it cannot be seen."""

    id: str
    title: str
    note: str
    """A short line under the title: unit, which way is better."""
    description: str
    spec: Spec
    alone: str = ""
    """The title where nothing around the figure says what it shows; empty: the title says it."""


def short_names(points: Sequence[PointComparison]) -> dict[str, str]:
    """Point id → the method's name where that is enough to tell its points apart, else the whole label."""
    tried = Counter(point.method for point in points)
    return {point.point: point.method if tried[point.method] == 1 else point.label for point in points}


def metric_figure(comparison: Comparison, metric: Metric, colours: dict[str, str], *, dots: bool) -> Figure:
    """One metric, every point: mean with its 95 % interval, the base's mean as a dashed line.

    With `dots` the mean is the method's symbol above its seeds as ticks, otherwise a bar from zero. At most
    `MOST_POINTS_DRAWN` points: the base, the best of each method, and the best others.
    """
    measured = [point for point in ranked(comparison) if metric.name in point.metrics]
    shown = _drawn_points(measured)
    names = short_names(comparison.points)
    rows = [_metric_row(point, metric.name, names) for point in shown]
    layers = (
        _dots(rows, _seed_rows(shown, metric.name, names), metric, colours) if dots else _bars(rows, metric, colours)
    )
    left_out = f"; {len(shown)} of {len(measured)} points" if len(shown) < len(measured) else ""
    return Figure(
        id=f"metric-{metric.name}",
        title=title_of(metric.name),
        note=_note(metric) + left_out,
        description=_spoken(metric, rows),
        spec=spec_of(layers, height=26 * max(len(rows), 1)),
    )


def _drawn_points(points: Sequence[PointComparison]) -> list[PointComparison]:
    """As many as there is room for, in the order given."""
    first = sorted(points, key=lambda point: not (point.method == BASE or point.best_of_method))
    return [point for point in points if point in first[:MOST_POINTS_DRAWN]]


def _dots(rows: Rows, seeds: Rows, metric: Metric, colours: dict[str, str]) -> Any:
    chart, colour = alt.Chart(alt.InlineData(rows)), method_colour(colours)
    x, y = _value_axis(metric, alt.Scale(zero=False)), label_axis(rows)
    interval = chart.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=colour)
    means = chart.mark_point(filled=True, size=90, opacity=1)
    tooltip = _tooltip(metric.name, metric.unit)
    layers = [
        _reference(chart, x),
        interval,
        means.encode(x=x, y=y, color=colour, shape=method_shape(colours), tooltip=tooltip),
    ]
    if seeds:
        ticks = alt.Chart(alt.InlineData(seeds)).mark_tick(thickness=1.5, height=6, opacity=0.8, yOffset=8)
        layers.append(ticks.encode(x=alt.X("value:Q"), y=y, color=colour))
    return alt.layer(*layers)


def _bars(rows: Rows, metric: Metric, colours: dict[str, str]) -> Any:
    chart = alt.Chart(alt.InlineData(rows))
    largest = max((row["high"] for row in rows), default=0.0)
    x, y = _value_axis(metric, alt.Scale(domain=[0, largest or 1])), label_axis(rows)
    bars, colour = chart.mark_bar(height=12, opacity=0.35), method_colour(colours)
    interval = chart.mark_rule(strokeWidth=2, clip=True).encode(x=alt.X("low:Q"), x2="high:Q", y=y, color=colour)
    return alt.layer(
        bars.encode(x=x, y=y, color=colour, tooltip=_tooltip(metric.name, metric.unit)),
        interval,
        _reference(chart, x),
    )


def _reference(chart: Any, x: Any) -> Any:
    base = chart.transform_filter(f"datum.method == '{BASE}'")
    return base.mark_rule(strokeDash=[3, 3], color=_NEUTRAL).encode(x=x)


def _value_axis(metric: Metric, scale: Any) -> Any:
    axis = alt.Axis(title=None, **value_format(metric.unit), tickCount=4)
    return alt.X("mean:Q").scale(scale).axis(axis)


def label_axis(rows: Rows) -> Any:
    """The rows' names from top to bottom, in the rows' order."""
    axis = alt.Axis(title=None, grid=False, labelPadding=_NAME_PADDING)
    return alt.Y("label:N").sort([row["label"] for row in rows]).axis(axis)


def value_format(unit: str) -> dict[str, str]:
    """How an axis writes values of a unit: shares as per cent, anything else as Vega would."""
    return {"format": ".0%"} if unit == "share" else {}


def _note(metric: Metric) -> str:
    unit = "per answer" if metric.unit == metric.name else metric.unit
    return unit if metric.direction == "neutral" else f"{unit}, {metric.direction} is better"


def _seed_rows(points: Sequence[PointComparison], metric: str, names: dict[str, str]) -> Rows:
    """The mean of each seed, for points that have more than one."""
    return [
        {"label": names[point.point], "method": point.method, "value": value}
        for point in points
        for value in point.metrics[metric].seed_means.values()
        if len(point.metrics[metric].seed_means) > 1
    ]


def _metric_row(point: PointComparison, metric: str, names: dict[str, str]) -> dict[str, Any]:
    mean = point.metrics[metric].mean
    return {
        "label": names[point.point],
        "point": point.label,
        "method": point.method,
        "mean": mean.estimate,
        "low": mean.low,
        "high": mean.high,
        "interval": f"{mean.low:.3g} to {mean.high:.3g}",
    }


def _spoken(metric: Metric, rows: Rows) -> str:
    values = "; ".join(f"{row['label']} {row['mean']:.3g} ({row['interval']})" for row in rows)
    return f"{title_of(metric.name)}, {_note(metric)}, mean and 95 % interval: {values}"


def _tooltip(metric: str, unit: str) -> list[Any]:
    return [
        alt.Tooltip("point:N", title="point"),
        alt.Tooltip("mean:Q", title=title_of(metric), format=".1%" if unit == "share" else ".4~g"),
        alt.Tooltip("interval:N", title="95 % interval"),
    ]


def method_colour(colours: dict[str, str]) -> Any:
    """The colour of the row's method."""
    return alt.Color("method:N").scale(domain=list(colours), range=list(colours.values())).legend(None)


def method_shape(colours: dict[str, str]) -> Any:
    """The symbol of the row's method."""
    shapes = method_shapes(colours)
    return alt.Shape("method:N").scale(domain=list(shapes), range=list(shapes.values())).legend(None)


def spec_of(chart: Any, *, height: int, width: int = WIDTH, rows: Mapping[str, Rows] | None = None) -> Spec:
    """A chart as plain Vega-Lite in the page's style. Name parameters: altair's counters never repeat.

    `rows` are what the chart's named data stand for. Altair checks data that are inside a chart value by value.
    """
    with alt.data_transformers.enable("default", consolidate_datasets=False, max_rows=None):
        spec: Spec = chart.to_dict()
    sized = {"width": width, "height": height, "autosize": {"type": "fit-x", "contains": "padding"}}
    return spec | sized | {"config": _CONFIG} | ({"datasets": dict(rows)} if rows else {})
