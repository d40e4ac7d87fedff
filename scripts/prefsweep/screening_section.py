"""What screening stopped, when and why: a table for each rung and the points' way there, drawn."""

from collections.abc import Iterator
from typing import Any

import altair as alt

from prefsweep.account import Table, table
from prefsweep.charts import Figure, spec_of, value_format
from prefsweep.comparison import Comparison
from prefsweep.leaderboard import title_of
from prefsweep.plan import BASE
from prefsweep.records.screening import Screening, Standing
from prefsweep.results import StudyResults
from prefsweep.wording import count, value_text

MOST_POINTS = 200


def screening_section(study: StudyResults, comparison: Comparison) -> dict[str, Any]:
    """Nothing for a study without decisions."""
    return {
        "lead": _lead(study) if study.screenings else "",
        "tables": [_table(screening, comparison.unit) for screening in study.screenings],
    }


def _lead(study: StudyResults) -> str:
    metric = title_of(study.screenings[0].metric)
    how = f"Every point was trained a share of its steps and ranked by {metric} on the development half of the prompts."
    spent, whole = _steps(study)
    saved = f" {spent:,} of {whole:,} optimiser steps were made: {1 - spent / whole:.0%} were saved." if whole else ""
    return f"{how} The best went on from their checkpoints; a point that was stopped is compared with none.{saved}"


def _steps(study: StudyResults) -> tuple[int, int]:
    """Optimiser steps that were made, and those that all points would take to the end with all seeds.

    A stopped point's steps to the end are those it made, divided by its share of them.
    """
    ends: dict[str, tuple[int, float]] = {
        standing.point: (standing.steps, screening.share)
        for screening in study.screenings
        for standing in screening.standings
        if standing.steps
    }
    seeds, spent, whole = len(study.plan.seeds), 0, 0
    trained = {run.run.id: run.train.steps for run in study.runs if run.train}
    for point in study.plan.points:
        own = [trained[run.id] for run in study.plan.runs if run.point == point.id and run.id in trained]
        if point.method != BASE and (own or point.id in ends):
            steps, share = ends.get(point.id, (0, 1.0))
            spent += sum(own) or steps
            whole += seeds * (max(own) if own else round(steps / share))
    return spent, whole


def _table(screening: Screening, unit: str) -> Table:
    halving = screening.halving
    of = "of each method" if halving.within == "method" else "of the study"
    rows = [
        {
            "name": standing.label,
            "method": standing.point.partition("-")[0],
            "cells": [
                f"{standing.rank} in {standing.group}",
                "n/a" if standing.value is None else value_text(standing.value, unit),
                "n/a" if standing.steps is None else f"{standing.steps:,}",
                fate(standing),
            ],
        }
        for standing in screening.standings[:MOST_POINTS]
    ]
    more = len(screening.standings) - len(rows)
    beyond = f" ({count(more, 'point')} more in admission/)" if more else ""
    caption = (
        f"Rung {screening.rung}, after {screening.share:.0%} of the steps: the best {halving.keep:.0%} {of}{beyond}"
    )
    return table(caption, ["point", "rank", title_of(screening.metric), "steps", "then"], rows)


def fate(standing: Standing) -> str:
    """What became of a point at a rung."""
    if standing.failure:
        return f"failed ({standing.failure.failure})"
    return "went on" if standing.kept else "stopped"


def screening_figure(study: StudyResults, comparison: Comparison, colours: dict[str, str]) -> Figure | None:
    """Each point's primary metric on the development half, by the share of its steps; a cross where it was stopped.

    The last value of a point that went on is that of its finished runs, on the same prompts.
    """
    rows = [row for row in _way(study, comparison) if row["value"] is not None]
    if not study.screenings or not rows:
        return None
    unit, metric = comparison.unit, title_of(comparison.primary_metric)
    lines = alt.Chart(alt.InlineData(rows)).encode(
        x=alt.X("share:Q").title("share of the steps").axis(alt.Axis(format=".0%", grid=False)),
        y=alt.Y("value:Q").scale(alt.Scale(zero=False)).axis(alt.Axis(title=None, **value_format(unit))),
        color=alt.Color("method:N").scale(domain=list(colours), range=list(colours.values())).legend(None),
        detail="point:N",
    )
    marks = lines.mark_point(filled=False, size=60, strokeWidth=2).encode(
        shape=alt.Shape("then:N").scale(domain=["went on", "stopped"], range=["circle", "cross"]).legend(None),
        tooltip=[alt.Tooltip("point:N"), alt.Tooltip("value:Q", title=metric, format=".4~g"), alt.Tooltip("then:N")],
    )
    stopped = [row["point"] for row in rows if row["then"] == "stopped"]
    return Figure(
        id="screening",
        title=f"{metric} while screening",
        note="on the development half; a cross: stopped; at 100%: the mean of its seeds",
        description=f"{metric} of {len({row['point'] for row in rows})} points at each rung; stopped: "
        + (", ".join(stopped[:20]) or "none"),
        spec=spec_of(alt.layer(lines.mark_line(strokeWidth=1.4, opacity=0.75), marks), height=250),
    )


def _way(study: StudyResults, comparison: Comparison) -> Iterator[dict[str, Any]]:
    for screening in study.screenings:
        for standing in screening.standings:
            yield {
                "point": standing.label,
                "method": standing.point.partition("-")[0],
                "share": round(screening.share, 4),
                "value": standing.value,
                "then": "stopped" if standing.stopped else "went on",
            }
    for point in comparison.points:
        if point.method != BASE and point.development:
            value = point.development.mean.estimate
            yield {"point": point.label, "method": point.method, "share": 1.0, "value": value, "then": "went on"}
