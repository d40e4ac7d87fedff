"""`tasks.csv`: what lm-eval's tasks say of every point, one row per task, metric and point (docs/results.md)."""

import pandas as pd

from prefsweep.comparison import Comparison, MetricComparison, PointComparison
from prefsweep.table import DIFFERENCE_COLUMNS, ESTIMATE_COLUMNS, Row, fields
from prefsweep.tax import TaskTax

COLUMNS = [
    *("task", "limit", "num_fewshot", "apply_chat_template"),
    *("metric", "unit", "better", "point", "method", "label"),
    *("documents", "excluded_documents", "seeds"),
    *ESTIMATE_COLUMNS,
    *DIFFERENCE_COLUMNS,
    *("p_adjusted", "minimum_detectable_effect"),
]


def tasks_table(comparison: Comparison) -> pd.DataFrame:
    """Points without results are rows with empty cells; without tasks there are columns alone."""
    rows = [_row(tax, point) for tax in comparison.tax for point in comparison.points]
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def _row(tax: TaskTax, point: PointComparison) -> Row:
    row: Row = {
        "task": tax.task,
        **dict(tax.conditions),
        "metric": tax.metric.name,
        "unit": tax.metric.unit,
        "better": tax.metric.direction,
        "point": point.point,
        "method": point.method,
        "label": point.label,
    }
    found = tax.points.get(point.point)
    return row | (_measured(found, tax.p_adjusted.get(point.point)) if found else {})


def _measured(found: MetricComparison, p_adjusted: float | None) -> Row:
    return {
        "documents": found.prompts,
        "excluded_documents": found.excluded_prompts,
        "seeds": len(found.seed_means),
        **fields(found.mean, ESTIMATE_COLUMNS),
        **fields(found.difference, DIFFERENCE_COLUMNS),
        "p_adjusted": p_adjusted,
        "minimum_detectable_effect": found.minimum_detectable_effect,
    }
