"""A table of the report: rows of plain values. Numbers stay numbers; what is missing stays empty."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

Cell = str | int | float | bool | None
Row = dict[str, Cell]

ESTIMATE_COLUMNS = {"estimate": "estimate", "estimate_low": "low", "estimate_high": "high"}
DIFFERENCE_COLUMNS = {
    "difference_to_base": "estimate",
    "difference_low": "low",
    "difference_high": "high",
    "difference_standard_error": "standard_error",
    "p_value": "p_value",
}
"""Column → field of an `Interval`: a mean, and its difference to the base."""


def fields(record: object, columns: Mapping[str, str]) -> Row:
    """`columns` maps column names to attributes; all empty when there is no record."""
    return {column: None if record is None else getattr(record, name) for column, name in columns.items()}


def plain(value: Any) -> Cell:
    """A setting as a cell: what has parts as JSON."""
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def frame(rows: list[Row]) -> pd.DataFrame:
    """Values as they are (whole numbers stay whole), non-finite ones missing, columns in the rows' order."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    finite = [{name: _finite(cell) for name, cell in row.items()} for row in rows]
    return pd.DataFrame(finite, columns=columns, dtype=object)


def _finite(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
