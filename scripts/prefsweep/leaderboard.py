"""Every point against the base: numbers, verdict and the interval as a small drawing, best points first.

Below each point are its runs, in the same columns.
"""

from collections.abc import Mapping
from typing import Any

from prefsweep.board_cells import EMPTY, NOTHING, Cell, cell, difference_cell, minutes, value_cell
from prefsweep.board_runs import run_row
from prefsweep.board_scale import Scale
from prefsweep.comparison import Comparison, MetricComparison, PointComparison
from prefsweep.plan import BASE
from prefsweep.results import StudyResults
from prefsweep.speed_control import speed_controls
from prefsweep.table import Row
from prefsweep.tax_summary import tax_summary
from prefsweep.wording import probability, range_text, signed, unit_in_cells, unit_of_table

MOST_REASONS = 60
_MARK = "†"
"""Of speeds that may not be compared; why is said once, below the table."""
MOST_POINTS_AT_ONCE = 30
"""Where there are more, the page first shows the best of each method."""


def title_of(metric: str) -> str:
    """A metric's name for people; `exact_match,strict` is lm-eval's, with its filter."""
    return metric.replace("_", " ").replace(",", ", ")


def gibibytes(size: float) -> str:
    """A size in GiB."""
    return f"{size / 2**30:.2f} GiB"


def number(row: Row, column: str) -> float | None:
    """A number of a table's row; None where it is missing."""
    value = row.get(column)
    return float(value) if isinstance(value, int | float) else None


def ranked(comparison: Comparison) -> list[PointComparison]:
    """The base, then the points from best to worst on the test half, then those without a result."""
    sign = -1 if comparison.direction == "lower" else 1
    primary = comparison.primary_metric

    def rank(point: PointComparison) -> tuple[bool, bool, float]:
        measured = point.metrics.get(primary)
        return (point.method != BASE, measured is None, -sign * measured.mean.estimate if measured else 0.0)

    return sorted(comparison.points, key=rank)


def board(study: StudyResults, comparison: Comparison, table: Mapping[str, Row]) -> dict[str, Any]:
    """Points from best to worst, each with its runs, as the template takes them.

    `table` are the rows of `comparison.csv` by point. Differences are coordinates of a small drawing too.
    """
    unit = unit_in_cells(comparison.unit)
    scale, control = Scale.of(comparison), speed_controls(study)[max(study.plan.generate.concurrency)]
    rows = []
    for point in ranked(comparison):
        primary = point.metrics.get(comparison.primary_metric)
        difference = primary.difference if primary else None
        row = {
            "drawing": difference and scale.drawing(difference.low, difference.estimate, difference.high),
            "cells": _cells(point, comparison, table[point.point]),
            "runs": [run_row(run, point, comparison, scale, control) for run in study.of_point(point.point)],
        }
        rows.append(_identity(point, comparison) | _numbers(point, primary, unit) | row)
    return {
        "rows": rows,
        "points": len(rows) - 1,
        "unit": unit_of_table(comparison.unit),
        "many": len(rows) > MOST_POINTS_AT_ONCE,
        "methods": list(dict.fromkeys(row["method"] for row in rows if not row["base"])),
        "zero": scale.x(0.0),
        "band": scale.band(comparison.smallest_effect),
        "drawn": any(row["drawing"] for row in rows),
        "axis_low": signed(scale.low, unit),
        "axis_high": signed(scale.high, unit),
        "speed_note": control.note and f"{_MARK} {control.note}",
        "reasons": [
            {"method": p.method, "label": p.label, "reason": p.reason, "caveats": "; ".join(p.caveats)}
            for p in ranked(comparison)[:MOST_REASONS]
            if p.method != BASE
        ],
    }


def _identity(point: PointComparison, comparison: Comparison) -> dict[str, Any]:
    name, _, rest = point.label.partition(" ")
    return {
        "point": point.point,
        "method": point.method,
        "label": point.label,
        "name": name,
        "rest": rest,
        "recommended": point.point == comparison.recommended,
        "best": point.best_of_method and sum(p.method == point.method for p in comparison.points) > 1,
        "base": point.method == BASE,
        "shown_first": point.method == BASE or point.best_of_method or point.point == comparison.recommended,
        "verdict": point.verdict,
        "verdict_class": point.verdict.replace(" ", "-"),
    }


def _numbers(point: PointComparison, primary: MetricComparison | None, unit: str) -> dict[str, Any]:
    difference = primary.difference if primary else None
    seeds = f"{len(point.seeds_finished)} of {len(point.seeds_planned)}"
    nothing = EMPTY if point.method == BASE else NOTHING
    p_value = point.p_equivalence_adjusted if point.verdict == "equivalent" else point.p_adjusted
    return {
        "estimate": value_cell(primary.mean.estimate if primary else None, unit),
        "difference": difference_cell(difference.estimate, unit) if difference else nothing,
        "interval": difference and range_text(difference, unit),
        "p": "" if p_value is None else f"p {probability(p_value)}",
        "seeds": Cell(seeds, str(len(point.seeds_finished))),
    }


def _cells(point: PointComparison, comparison: Comparison, row: Row) -> list[Cell]:
    """What goes along with quality: length, alignment tax, time of an answer, tokens/s, training."""
    words = point.metrics.get("words")
    return [
        cell(words.mean.estimate if words else None, "{:.1f}".format),
        _tax_cell(point, comparison),
        _answer_cell(row),
        _speed_cell(row),
        _training_cell(point, row),
    ]


def _tax_cell(point: PointComparison, comparison: Comparison) -> Cell:
    if point.method == BASE:
        return EMPTY
    tax = tax_summary(comparison.tax, point.point)
    return difference_cell(tax.mean_change, "share").noted(tax.text) if tax else NOTHING


def _answer_cell(row: Row) -> Cell:
    ratio = number(row, "server_seconds_ratio_to_base")
    found = cell(number(row, "server_seconds_per_answer"), "{:.2f} s".format)
    return found if ratio is None or row["method"] == BASE else found.noted(f"× {ratio:.2f}")


def _speed_cell(row: Row) -> Cell:
    """Marked unless the control passed: then speeds tie, and no point is faster than another."""
    mark = "" if row["speed_control"] in (None, "passed") else f" {_MARK}"
    return cell(number(row, "output_tokens_per_second"), lambda speed: f"{speed:,.1f}{mark}")


def _training_cell(point: PointComparison, row: Row) -> Cell:
    peak = number(row, "peak_memory_bytes")
    note = "" if peak is None else gibibytes(peak)
    if point.method == BASE:
        return Cell("none", "0", note)
    return cell(number(row, "train_seconds"), minutes).noted(note)
