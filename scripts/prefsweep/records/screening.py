"""What `screen` decides: which points continue after a rung, which stop, and why."""

from prefsweep.failures import Failure
from prefsweep.records.base import Record
from prefsweep.search import Halving


class Standing(Record):
    """One point at a rung."""

    point: str
    label: str
    group: str
    """The points it was compared with: its method's, or the study's."""
    value: float | None
    """Mean of the primary metric over the development prompts; None where the run failed."""
    rank: int
    """From 1, within the group."""
    steps: int | None
    """Optimiser steps up to the rung."""
    kept: bool
    failure: Failure | None

    @property
    def stopped(self) -> bool:
        """Neither kept nor failed: a failed point's next run fails with the rung's failure."""
        return not self.kept and self.failure is None


class Screening(Record):
    """`admission/<next>.json`: the points that reached a rung, best first within each group."""

    rung: int
    share: float
    """Of the full run's steps."""
    metric: str
    halving: Halving
    standings: list[Standing]
    stopped_before: list[str]
    """Points that an earlier rung had stopped."""
