"""The report's section on what else changed: asked for, and not."""

from typing import Any

from prefsweep.account import Table, table
from prefsweep.changes import LEAST_SHARE, Change, changes, unasked
from prefsweep.comparison import Comparison
from prefsweep.drift_section import drift_section
from prefsweep.leaderboard import title_of
from prefsweep.plan import Point
from prefsweep.results import StudyResults
from prefsweep.wording import count, joined, probability, range_text, signed, value_text

MOST_ROWS = 60
_HEADS = ["point and metric", "base", "change, 95 % interval", "SDs of the base", "adjusted p", "judgement"]


def changes_section(study: StudyResults, comparison: Comparison) -> dict[str, Any]:
    """What the template shows; without comparisons nothing."""
    found = changes(study, comparison)
    distance = drift_section(study, comparison)
    if not found:
        return {"lead": "", "tables": [], "distance": distance}
    points = study.plan.points_by_id
    wanted = [change for change in found if change.wanted]
    tables = [_table("Nobody asked for", unasked(found), points), _table("Asked for", wanted, points)]
    return {"lead": _lead(study, found), "tables": [one for one in tables if one["rows"]], "distance": distance}


def _lead(study: StudyResults, found: list[Change]) -> str:
    rule = (
        f"Every metric of the answers but the primary one, on the test prompts. A change counts when it is at least "
        f"{LEAST_SHARE} of the standard deviation among the base's own answers and its p, adjusted by Holm over all "
        f"{count(len(found), 'comparison')} here, is below 5 %."
    )
    number = len(unasked(found))
    outcome = f"{count(number, 'change')} that nobody asked for {'was' if number == 1 else 'were'} found."
    meant = f"Asked for: {joined(study.plan.wants)}." if study.plan.wants else "The study asks for none."
    return f"{rule} {outcome} {meant}"


def _table(caption: str, found: list[Change], points: dict[str, Point]) -> Table:
    more = f", the {MOST_ROWS} largest of {len(found):,}" if len(found) > MOST_ROWS else ""
    return table(f"{caption}{more}", _HEADS, [_row(change, points[change.point]) for change in found[:MOST_ROWS]])


def _row(change: Change, point: Point) -> dict[str, Any]:
    unit, size = change.metric.unit, change.in_deviations
    return {
        "name": f"{point.label}: {title_of(change.metric.name)}",
        "method": point.method,
        "cells": [
            value_text(change.base, unit),
            _interval_text(change),
            "no spread" if size is None else f"{size:+.2f}".replace("-", "−"),
            probability(change.p_adjusted),
            change.judgement if change.moved else "not shown",
        ],
    }


def _interval_text(change: Change) -> str:
    difference, unit = change.difference, change.metric.unit
    number, _, word = signed(difference.estimate, unit).partition(" ")
    return f"{number} ({range_text(difference, unit)}) {word}"
