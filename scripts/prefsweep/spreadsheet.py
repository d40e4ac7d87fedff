"""Tables as CSV for spreadsheets, in which text cells can never run as formulas."""

from typing import Any

import pandas as pd

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")


def csv_text(frame: pd.DataFrame) -> str:
    """A frame as CSV that a spreadsheet opens without executing anything."""
    cells = {
        spreadsheet_safe(column): pd.Series([spreadsheet_safe(cell) for cell in frame[column]], dtype=object)
        for column in frame.columns
    }
    safe = pd.DataFrame(cells)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def spreadsheet_safe(cell: Any) -> Any:
    """Text that a spreadsheet would read as a formula gets a leading apostrophe; numbers are unchanged.

    A carriage return becomes a line feed: unquoted it would end the row and start a cell of its own.
    """
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
