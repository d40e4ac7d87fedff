"""Every point against the base: numbers, verdict and the interval as a small drawing, best points first."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from prefsweep.comparison import Comparison, MetricComparison, PointComparison
from prefsweep.plan import BASE
from prefsweep.table import Row
from prefsweep.wording import probability, signed, value_text

DRAWING_WIDTH = 200
MOST_REASONS = 60
_MARGIN = 10
_COMPANIONS = ("words", "emoji", "repetition", "truncated")


@dataclass(frozen=True)
class Cell:
    """A table cell: what is read and what the column sorts by (empty sorts last)."""

    text: str
    value: str = ""
    note: str = ""


NOTHING = Cell("n/a")


def title_of(metric: str) -> str:
    """A metric's name for people."""
    return metric.replace("_", " ")


def minutes(seconds: float) -> str:
    """A duration as people say it: `48 s`, `12.5 min`, `3.2 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


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


def board(comparison: Comparison, costs: Mapping[str, Row]) -> dict[str, Any]:
    """Every point against the base: numbers, verdict, and the interval as coordinates of a small drawing."""
    companions = [m for m in comparison.metrics if m.name in _COMPANIONS and m.name != comparison.primary_metric]
    scale = _Scale.of(comparison)
    rows = []
    for point in ranked(comparison):
        primary = point.metrics.get(comparison.primary_metric)
        difference = primary.difference if primary else None
        rows.append(
            _identity(point, comparison)
            | _numbers(point, primary, comparison.unit)
            | {
                "drawing": difference and scale.drawing(difference.low, difference.estimate, difference.high),
                "companions": [_metric_cell(point, metric.name, metric.unit) for metric in companions],
                "costs": [
                    _answer_cell(costs[point.point]),
                    _training_cell(point, costs[point.point]),
                ],
            }
        )
    return {
        "rows": rows,
        "companions": [title_of(metric.name) for metric in companions],
        "zero": scale.x(0.0),
        "band": scale.band(comparison.smallest_effect),
        "drawn": any(row["drawing"] for row in rows),
        "axis_low": signed(scale.low, comparison.unit),
        "axis_high": signed(scale.high, comparison.unit),
        "reasons": [
            {"method": p.method, "label": p.label, "reason": p.reason, "caveats": "; ".join(p.caveats)}
            for p in ranked(comparison)[:MOST_REASONS]
            if p.method != BASE
        ],
    }


@dataclass(frozen=True)
class _Scale:
    """Differences to the base as horizontal coordinates; zero is always on it."""

    low: float
    high: float

    @classmethod
    def of(cls, comparison: Comparison) -> "_Scale":
        found = [p.metrics[comparison.primary_metric] for p in comparison.points if _has_difference(p, comparison)]
        ends = [end for one in found if one.difference for end in (one.difference.low, one.difference.high)]
        ends = [end for end in ends if math.isfinite(end)]
        smallest = comparison.smallest_effect
        low, high = min([*ends, -smallest]), max([*ends, smallest])
        return cls(low, high) if high > low else cls(-1.0, 1.0)

    def x(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        share = (inside - self.low) / (self.high - self.low)
        return round(_MARGIN + share * (DRAWING_WIDTH - 2 * _MARGIN), 2)

    def drawing(self, low: float, middle: float, high: float) -> dict[str, float]:
        return {"low": self.x(low), "middle": self.x(middle), "high": self.x(high)}

    def band(self, smallest_effect: float) -> dict[str, float] | None:
        start, end = self.x(-smallest_effect), self.x(smallest_effect)
        return {"x": start, "width": round(end - start, 2)} if smallest_effect > 0 else None


def _has_difference(point: PointComparison, comparison: Comparison) -> bool:
    measured = point.metrics.get(comparison.primary_metric)
    return measured is not None and measured.difference is not None


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
        "verdict": point.verdict,
        "verdict_class": point.verdict.replace(" ", "-"),
    }


def _numbers(point: PointComparison, primary: MetricComparison | None, unit: str) -> dict[str, Any]:
    difference = primary.difference if primary else None
    seeds = f"{len(point.seeds_finished)} of {len(point.seeds_planned)}"
    nothing = Cell("") if point.method == BASE else NOTHING
    p_value = point.p_equivalence_adjusted if point.verdict == "equivalent" else point.p_adjusted
    return {
        "estimate": _cell(value_text(primary.mean.estimate, unit), primary.mean.estimate) if primary else NOTHING,
        "difference": _cell(signed(difference.estimate, unit), difference.estimate) if difference else nothing,
        "interval": difference and _range(signed(difference.low, unit), signed(difference.high, unit)),
        "p": "" if p_value is None else f"p {probability(p_value)}",
        "seeds": _cell(seeds, len(point.seeds_finished)),
    }


def _range(low: str, high: str) -> str:
    """`−1.2 to +9.0 pp`: the unit once."""
    return f"{low.partition(' ')[0]} to {high}"


def _metric_cell(point: PointComparison, metric: str, unit: str) -> Cell:
    measured = point.metrics.get(metric)
    if measured is None:
        return NOTHING
    value = measured.mean.estimate
    return _cell(value_text(value, unit) if unit == "share" else f"{value:.1f}", value)


def _cost_cell(value: float | None, text: Callable[[float], str]) -> Cell:
    return NOTHING if value is None else _cell(text(value), value)


def _answer_cell(row: Row) -> Cell:
    ratio = number(row, "server_seconds_ratio_to_base")
    cell = _cost_cell(number(row, "server_seconds_per_answer"), "{:.2f} s".format)
    return cell if ratio is None or row["method"] == BASE else replace(cell, note=f"× {ratio:.2f}")


def _training_cell(point: PointComparison, row: Row) -> Cell:
    peak = number(row, "peak_memory_bytes")
    note = "" if peak is None else gibibytes(peak)
    if point.method == BASE:
        return Cell("none", "0", note)
    return replace(_cost_cell(number(row, "train_seconds"), minutes), note=note)


def _cell(text: str, value: float) -> Cell:
    return Cell(text, f"{value:.10g}") if math.isfinite(value) else NOTHING
