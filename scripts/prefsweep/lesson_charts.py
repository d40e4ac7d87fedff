"""What the sweep teaches, drawn: the best of so many tries by method, and a panel for each setting."""

from typing import Any

import altair as alt

from prefsweep.charts import Figure, Rows, method_colour, method_shape, spec_of, value_format
from prefsweep.comparison import Comparison
from prefsweep.label_places import apart
from prefsweep.leaderboard import title_of
from prefsweep.lessons import Effect
from prefsweep.plan import BASE
from prefsweep.wording import difference_text, estimate_text

MOST_VALUES_DRAWN = 12
"""Of one setting: more do not fit side by side."""

_NEUTRAL = "#868d98"

_TRIES_HEIGHT, _BESIDE = 250, 44
"""Pixels; the names of lines are beside them."""


def lesson_figures(comparison: Comparison, colours: dict[str, str]) -> list[Figure]:
    """The best of so many tries, then the settings in the plan's order; nothing where nothing was swept."""
    settings = dict.fromkeys(effect.setting for effect in comparison.lessons.effects)
    effects = [_effect_figure(setting, comparison, colours) for setting in settings]
    return [_tries_figure(comparison, colours), *effects] if comparison.lessons.best_of else effects


def _tries_figure(comparison: Comparison, colours: dict[str, str]) -> Figure:
    metric, unit = title_of(comparison.primary_metric), comparison.unit
    last = {best.method: best for best in comparison.lessons.best_of}
    rows = [
        {
            "method": best.method,
            "tries": best.tries,
            "mean": best.expected.estimate,
            "low": best.expected.low,
            "high": best.expected.high,
            "text": estimate_text(best.expected, unit),
            "last": best is last[best.method],
        }
        for best in comparison.lessons.best_of
    ]
    _place_names([row for row in rows if row["last"]], rows)
    base = [point.metrics.get(comparison.primary_metric) for point in comparison.points if point.method == BASE]
    reference = [{"mean": one.mean.estimate} for one in base if one]
    spoken = "; ".join(f"{name} {estimate_text(best.expected, unit)}" for name, best in last.items())
    return Figure(
        id="best-of",
        title="Best of so many tries",
        note=f"{metric} on the test half; the dashed line is the base",
        description=f"Expected {metric} of the best of all points that were tried: {spoken}",
        spec=spec_of(_tries(rows, reference, unit, colours), height=_TRIES_HEIGHT),
    )


def _place_names(last: Rows, rows: Rows) -> None:
    """How far each line's name stands below its end, in pixels, so that none covers another."""
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    ends = [_TRIES_HEIGHT * (high - row["mean"]) / ((high - low) or 1) for row in last]
    for row, end, place in zip(last, ends, apart(ends), strict=True):
        row["dy"] = round(place - end)


def _tries(rows: Rows, reference: Rows, unit: str, colours: dict[str, str]) -> Any:
    counts = _room_for(sorted({row["tries"] for row in rows}))
    numbers = alt.Axis(grid=False, values=counts, tickCount=len(counts), format="d")
    x = alt.X("tries:Q").title("tries").scale(padding=_BESIDE, nice=False).axis(numbers)
    axis, scale = alt.Axis(title=None, **value_format(unit)), alt.Scale(zero=False)
    y = alt.Y("mean:Q").scale(scale).axis(axis)
    chart = alt.Chart(alt.InlineData(rows)).encode(x=x, color=method_colour(colours))
    tooltip = [alt.Tooltip("method:N"), alt.Tooltip("tries:Q"), alt.Tooltip("text:N", title="expected")]
    named = chart.transform_filter("datum.last")
    labels = named.mark_text(align="left", dx=8, dy={"expr": "datum.dy"}, fontSize=11)
    layers = [
        chart.mark_area(opacity=0.07).encode(y=alt.Y("low:Q").scale(scale).axis(axis), y2="high:Q"),
        chart.mark_line(strokeWidth=2).encode(y=y),
        chart.mark_point(filled=True, size=50, opacity=1).encode(y=y, shape=method_shape(colours), tooltip=tooltip),
        labels.encode(y=y, text="method:N"),
    ]
    if reference:
        dashed = alt.Chart(alt.InlineData(reference)).mark_rule(strokeDash=[3, 3], color=_NEUTRAL)
        layers.append(dashed.encode(y=y))
    return alt.layer(*layers)


def _room_for(tries: list[int]) -> list[int]:
    """Rising numbers of tries that have room below one axis."""
    kept = tries[:1]
    for number in tries:
        if number - kept[-1] >= max(1, (tries[-1] - tries[0]) / MOST_VALUES_DRAWN):
            kept.append(number)
    return kept


def _effect_figure(setting: str, comparison: Comparison, colours: dict[str, str]) -> Figure:
    effects = [effect for effect in comparison.lessons.effects if effect.setting == setting]
    values = list(dict.fromkeys(setting_text(effect.value) for effect in sorted(effects, key=_order)))
    shown = values[:: -(-len(values) // MOST_VALUES_DRAWN)]
    rows = [
        {
            "method": effect.method,
            "place": effect.method,
            "value": setting_text(effect.value),
            "from": setting_text(effect.reference),
            "mean": effect.difference.estimate,
            "low": effect.difference.low,
            "high": effect.difference.high,
            "text": difference_text(effect.difference, comparison.unit),
        }
        for effect in effects
        if setting_text(effect.value) in shown
    ]
    seeds = [
        {
            "method": effect.method,
            "place": f"{effect.method}, seeds",
            "value": setting_text(effect.value),
            "seed": seed,
            "difference": difference,
        }
        for effect in effects
        for seed, difference in effect.seed_differences.items()
        if setting_text(effect.value) in shown and len(effect.seed_differences) > 1
    ]
    dots = "; dots are seeds" if seeds else ""
    cut = f"; {len(shown)} of {len(values)} values" if len(shown) < len(values) else ""
    spoken = "; ".join(f"{row['method']} {row['from']} to {row['value']}: {row['text']}" for row in rows[:20])
    return Figure(
        id=f"effect-{setting.replace('_', '-')}",
        title=setting.replace("_", " "),
        note=f"difference to the lowest value, on the development half{dots}{cut}",
        description=f"Effect of {title_of(setting)} on {title_of(comparison.primary_metric)}: {spoken}",
        spec=spec_of(_effects(rows, seeds, shown, comparison.unit, colours), height=180),
    )


def _effects(rows: Rows, seeds: Rows, values: list[str], unit: str, colours: dict[str, str]) -> Any:
    places = list(dict.fromkeys(name for row in rows for name in (row["place"], f"{row['place']}, seeds")))
    places = places if seeds else places[::2]
    axis = alt.Axis(title=None, **value_format(unit))
    chart, dots = (
        alt.Chart(alt.InlineData(data)).encode(
            x=alt.X("value:N").sort(values).title(None).axis(grid=False, labelAngle=0),
            xOffset=alt.XOffset("place:N").scale(domain=places),
            color=method_colour(colours),
        )
        for data in (rows, seeds)
    )
    tooltip = [alt.Tooltip("method:N"), *(alt.Tooltip(f"{key}:N", title=key) for key in ("from", "value"))]
    zero = alt.Chart(alt.InlineData([{"zero": 0}])).mark_rule(strokeDash=[3, 3], color=_NEUTRAL)
    return alt.layer(
        zero.encode(y="zero:Q"),
        chart.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q").axis(axis), y2="high:Q"),
        chart.mark_point(filled=True, size=60, opacity=1).encode(
            y=alt.Y("mean:Q").axis(axis),
            shape=method_shape(colours),
            tooltip=[*tooltip, alt.Tooltip("text:N", title="difference")],
        ),
        dots.mark_circle(size=14, opacity=0.8).encode(
            y=alt.Y("difference:Q").axis(axis), tooltip=[*tooltip[::2], alt.Tooltip("seed:O")]
        ),
    )


def setting_text(value: Any) -> str:
    """A setting's value for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _order(effect: Effect) -> float:
    return float(effect.value) if isinstance(effect.value, int | float) else 0.0
