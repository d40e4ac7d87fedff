"""`tasks.csv`: what lm-eval's tasks say of every point, one row per task, metric and point (docs/results.md)."""

import pandas as pd

from prefsweep.comparison import Comparison, MetricComparison, PointComparison
from prefsweep.statistics import Interval
from prefsweep.tax import TaskTax

_INTERVAL = {"estimate": "estimate", "low": "estimate_low", "high": "estimate_high"}
_DIFFERENCE = {
    "estimate": "difference_to_base",
    "low": "difference_low",
    "high": "difference_high",
    "standard_error": "difference_standard_error",
    "p_value": "p_value",
}
COLUMNS = [
    *("task", "metric", "unit", "better", "point", "method", "label"),
    *("documents", "excluded_documents", "seeds"),
    *_INTERVAL.values(),
    *_DIFFERENCE.values(),
    *("p_adjusted", "minimum_detectable_effect"),
]


def tasks_table(comparison: Comparison) -> pd.DataFrame:
    """Points without results are rows with empty cells; without tasks there are columns alone."""
    rows = [_row(tax, point) for tax in comparison.tax for point in comparison.points]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def _row(tax: TaskTax, point: PointComparison) -> dict[str, object]:
    row: dict[str, object] = {
        "task": tax.task,
        "metric": tax.metric.name,
        "unit": tax.metric.unit,
        "better": tax.metric.direction,
        "point": point.point,
        "method": point.method,
        "label": point.label,
    }
    found = tax.points.get(point.point)
    return row | (_measured(found, tax.p_adjusted.get(point.point)) if found else {})


def _measured(found: MetricComparison, p_adjusted: float | None) -> dict[str, object]:
    return {
        "documents": found.prompts,
        "excluded_documents": found.excluded_prompts,
        "seeds": len(found.seed_means),
        **_cells(found.mean, _INTERVAL),
        **_cells(found.difference, _DIFFERENCE),
        "p_adjusted": p_adjusted,
        "minimum_detectable_effect": found.minimum_detectable_effect,
    }


def _cells(interval: Interval | None, columns: dict[str, str]) -> dict[str, object]:
    return {column: getattr(interval, name) for name, column in columns.items()} if interval else {}
