"""The metrics as a table for docs/results.md."""

from collections.abc import Iterable

from prefsweep.metric import Metric
from prefsweep.written_tables import table


def metric_table(metrics: Iterable[Metric]) -> str:
    """Name, unit, better direction, meaning and source of each."""
    return table(
        ("metric", "unit", "better", "meaning", "source"),
        (
            (
                f"`{one.name}`",
                one.unit,
                "" if one.direction == "neutral" else one.direction,
                one.description,
                one.source,
            )
            for one in metrics
        ),
    )
