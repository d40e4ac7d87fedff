"""The page's part on training: a row of panels per logged quantity, a panel per method that has it."""

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt

from prefsweep.alarms import training_alarms
from prefsweep.charts import Figure, spec_of, value_format
from prefsweep.comparison import Comparison
from prefsweep.curves import BAND, FEWEST_VALUES, MOST_VALUES, QUANTITIES, Panel, Quantity, panel
from prefsweep.rendering import draw
from prefsweep.results import RunResults, StudyResults
from prefsweep.wording import count, joined

ALARM = "#a5341c"
"""Of the mark at an alarm; the page's CSS gives it its form on the dark page."""

_RULE = "#868d98"
_VALUES = 50_000
"""Of the whole section, so that many methods and runs stay within a few MB."""


def training_section(study: StudyResults, comparison: Comparison, colours: dict[str, str]) -> dict[str, Any]:
    """A lead, and per quantity a title, a note and the drawn panels; no quantities where nothing was trained."""
    rows = training_figures(study, comparison, colours)
    trained = [run for run in study.runs if run.train and run.train.history]
    return {
        "lead": _lead(trained) if trained else "",
        "quantities": [
            {
                "title": quantity.title,
                "note": _not_logged(trained, figures),
                "panels": [draw(figure) for figure in figures.values()],
            }
            for quantity, figures in rows
        ],
    }


def training_figures(
    study: StudyResults, comparison: Comparison, colours: dict[str, str]
) -> list[tuple[Quantity, dict[str, Figure]]]:
    """Quantity → method → panel, without methods that do not log it and quantities that none logs.

    Losses and rewards follow each method's own definition, so that each panel has its own axis; accuracies share one.
    """
    trained = [run for run in study.runs if run.train and run.train.history]
    methods = list(dict.fromkeys(run.point.method for run in trained))
    best = {point.method: point.point for point in comparison.points if point.best_of_method}
    alarms, most = _alarms(trained), _values_per_line(trained)
    found = []
    for quantity in QUANTITIES:
        panels = {}
        for method in methods:
            runs = [run for run in trained if run.point.method == method]
            if drawn := panel(runs, quantity, best.get(method), alarms, most):
                panels[method] = _figure(method, quantity, drawn, colours[method], _first_losses(runs, quantity))
        if panels:
            found.append((quantity, panels))
    return found


def _alarms(runs: Iterable[RunResults]) -> dict[tuple[str, str], str]:
    """Run and column of its history → the alarms that this course gave rise to."""
    found: dict[tuple[str, str], str] = {}
    for run in runs:
        for alarm in training_alarms(run):
            if alarm.column:
                place = (run.run.id, alarm.column)
                found[place] = ", ".join(filter(None, (found.get(place), alarm.name)))
    return found


def _values_per_line(runs: Sequence[RunResults]) -> int:
    columns = sum(len(quantity.columns) for quantity in QUANTITIES)
    return max(FEWEST_VALUES, min(MOST_VALUES, _VALUES // max(1, columns * len(runs))))


def _first_losses(runs: Iterable[RunResults], quantity: Quantity) -> list[float]:
    """What theory gives for the untrained adapter, where it says anything."""
    expected = {run.train.expected_first_loss for run in runs if run.train} if quantity.columns == ("loss",) else set()
    return sorted(loss for loss in expected if loss is not None)


def _figure(method: str, quantity: Quantity, drawn: Panel, colour: str, first_losses: list[float]) -> Figure:
    column = quantity.columns[0]
    last = ", ".join(f"{line['run']} {line['last']:.3g}" for line in drawn.lines[:12] if line["column"] == column)
    note = _note(drawn, first_losses)
    runs = count(drawn.runs, f"{method} run")
    return Figure(
        id=f"training-{column.replace('_', '-')}-{method}",
        title=method,
        alone=f"{method} while training, {quantity.title}",
        note=note,
        description=f"{quantity.title} while training, {runs}; last values: {last}. {note}",
        spec=spec_of(
            _layers(quantity, drawn, colour, first_losses),
            height=110,
            width=200,
            rows={"lines": drawn.lines, "steps": drawn.steps, "spread": drawn.spread},
        ),
    )


def _note(drawn: Panel, first_losses: list[float]) -> str:
    alarmed: dict[str, list[str]] = {}
    for line in drawn.lines:
        if line["alarm"]:
            alarmed.setdefault(line["alarm"], []).append(line["run"])
    parts = [f"alarm: {alarm}, {_some(runs)}" for alarm, runs in alarmed.items()]
    if drawn.spread:
        single = len({line["run"] for line in drawn.lines})
        parts.append(f"band: {BAND[0]:.0%} to {BAND[2]:.0%} of {drawn.runs} runs; lines: {single} of them")
    if first_losses:
        parts.append("dotted: untrained, " + ", ".join(f"{loss:.3f}" for loss in first_losses))
    return "; ".join(parts)


def _some(runs: Sequence[str]) -> str:
    return runs[0] if len(runs) == 1 else f"{len(runs)} runs"


def _not_logged(trained: Iterable[RunResults], figures: dict[str, Figure]) -> str:
    missing = dict.fromkeys(run.point.method for run in trained if run.point.method not in figures)
    return f"Not logged for {joined(list(missing))}." if missing else ""


def _lead(trained: Sequence[RunResults]) -> str:
    records = [run.train for run in trained if run.train]
    steps, sequences = ([record.steps for record in records], [record.sequences for record in records])
    return (
        f"{_range(steps)} optimiser steps and {_range(sequences)} sequences per run. Each line is a run over its own "
        "share of the steps, so that methods compare; strong are the runs of each method's best point. A line is a "
        "running mean over a tenth of the run, the faint one behind it the single steps. Point at a line to see whose "
        "it is. Losses and rewards follow each method's own definition and scale: compare shapes across methods, not "
        "heights." + _resumed(trained)
    )


def _resumed(trained: Sequence[RunResults]) -> str:
    runs = [f"{run.run.id} (step {run.train.resumed_at})" for run in trained if run.train and run.train.resumed_at]
    return f" Stopped, and resumed from a checkpoint: {', '.join(runs)}." if runs else ""


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _layers(quantity: Quantity, drawn: Panel, colour: str, first_losses: list[float]) -> Any:
    levels = first_losses or ([0.5] if quantity.share else [0.0] if quantity.from_zero else [])
    axis = alt.Axis(grid=False, values=[0, 0.5, 1], format=".0%")
    dashes = alt.Scale(domain=list(quantity.columns), range=[[1, 0], [4, 3]][: len(quantity.columns)])
    style = {
        "x": alt.X("x:Q").title(None).axis(axis).scale(domain=[0, 1]),
        "strokeDash": alt.StrokeDash("column:N").legend(None).scale(dashes),
    }
    layers = []
    if levels:
        level = alt.Chart(alt.InlineData([{"y": one} for one in levels]))
        layers.append(level.mark_rule(strokeDash=[1, 3], color=_RULE).encode(y=_y(quantity, "y")))
    if drawn.spread:
        layers += _band(style, quantity, colour)
    if drawn.steps:
        steps = alt.Chart(alt.NamedData("steps")).transform_flatten(["x", "y"])
        faint = steps.mark_line(color=colour, strokeWidth=1, opacity=0.22)
        layers.append(faint.encode(y=_y(quantity, "y"), detail="run:N", **style))
    alarms = sum(bool(line["alarm"]) for line in drawn.lines)
    return alt.layer(*layers, *_run_lines(style, quantity, colour, alarms))


def _y(quantity: Quantity, field: str) -> Any:
    scale = alt.Scale(domain=[0, 1]) if quantity.share else alt.Scale(zero=quantity.from_zero)
    axis = alt.Axis(title=None, tickCount=3, **value_format("share" if quantity.share else ""))
    return alt.Y(f"{field}:Q").scale(scale).axis(axis)


def _band(style: dict[str, Any], quantity: Quantity, colour: str) -> list[Any]:
    spread = alt.Chart(alt.NamedData("spread")).transform_flatten(["x", "low", "middle", "high"])
    area = spread.mark_area(color=colour, opacity=0.16)
    middle = spread.mark_line(color=colour, strokeWidth=1.5, opacity=0.6)
    return [
        area.encode(x=style["x"], y=_y(quantity, "low"), y2="high:Q", detail="column:N"),
        middle.encode(y=_y(quantity, "middle"), **style),
    ]


def _run_lines(style: dict[str, Any], quantity: Quantity, colour: str, alarms: int) -> list[Any]:
    """The lines, what the pointer meets, and a mark at the end of each line with an alarm."""
    hover = alt.selection_point(name="hover", on="pointerover", clear="pointerout", fields=["run"], empty=False)
    strong = alt.datum.main
    rows = alt.Chart(alt.NamedData("lines"))
    lines = rows.transform_flatten(["x", "y"]).encode(y=_y(quantity, "y"), detail="run:N", **style)
    drawn = lines.mark_line(color=colour).encode(
        strokeWidth=alt.when(hover).then(alt.value(3)).when(strong).then(alt.value(2)).otherwise(alt.value(1.2)),
        opacity=alt.when(hover).then(alt.value(1)).when(strong).then(alt.value(0.95)).otherwise(alt.value(0.4)),
    )
    tooltip = [alt.Tooltip("run:N"), alt.Tooltip("last:Q", title="last value", format=".4~g")]
    target = lines.mark_line(strokeWidth=12, opacity=0.001)
    if not alarms:
        return [drawn, target.encode(tooltip=tooltip).add_params(hover)]
    ends = rows.transform_filter("datum.alarm").encode(x=alt.datum(1), y=_y(quantity, "last"))
    marks = ends.mark_point(shape="triangle-up", filled=True, size=70, color=ALARM, opacity=1)
    text = ends.transform_window(place="row_number()").transform_filter("datum.place == 1")
    words = text.mark_text(text=count(alarms, "alarm"), align="right", dx=-8, dy=-7, fontSize=11, color=ALARM)
    return [drawn, target.encode(tooltip=[*tooltip, alt.Tooltip("alarm:N")]).add_params(hover), marks, words]
