"""Which points no other point beats: the Pareto front of quality, training time, time of an answer and alignment tax.

A point is dominated when another is at least as good in everything and better in something. It goes by the means alone:
intervals do not enter, and a difference of a second in training counts like any other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from prefsweep.metrics import Direction
from prefsweep.plan import BASE
from prefsweep.statistics import Array
from prefsweep.table import Row


@dataclass(frozen=True)
class Objective:
    """A column of `comparison.csv` of which more, or less, is better."""

    column: str
    title: str
    unit: str
    higher: bool
    of_base: float | None = None
    """What the base has by definition."""


COSTS = (
    Objective("train_seconds", "training seconds per seed", "seconds", higher=False, of_base=0.0),
    Objective("server_seconds_per_answer", "server seconds per answer", "seconds", higher=False),
    Objective("tax_mean_change", "mean change over tasks", "share", higher=True, of_base=0.0),
)
DISTANCE = Objective("kl_from_base_estimate", "KL from base, nats per token", "nats", higher=False, of_base=0.0)
"""Drawn, but no objective: to move away from the base is neither good nor bad in itself."""


@dataclass(frozen=True)
class Front:
    """Of the points that have the primary metric and all objectives."""

    objectives: tuple[Objective, ...]
    """Quality first; those alone that two points have."""
    values: dict[str, dict[str, float]]
    """Point → column → value."""
    beaten_by: dict[str, str | None]
    """Point → the best point, by quality, of those that dominate it; None on the front."""
    left_out: tuple[str, ...]
    """Points that have the primary metric and lack another objective."""

    def columns(self, point: str) -> Row:
        """Its columns of `comparison.csv`."""
        dominator = self.beaten_by.get(point)
        return {
            "not_dominated": dominator is None if point in self.beaten_by else None,
            "dominated_by": dominator,
        }


def pareto_front(rows: Iterable[Row], direction: Direction) -> Front:
    """The front of the rows of `comparison.csv`; `direction` is the primary metric's."""
    quality = Objective("estimate", "quality", "", higher=direction == "higher")
    known = {str(row["point"]): _values(row, quality) for row in rows if row["estimate"] is not None}
    used = (quality, *(cost for cost in COSTS if sum(cost.column in values for values in known.values()) > 1))
    whole = {point: values for point, values in known.items() if all(one.column in values for one in used)}
    return Front(
        objectives=used,
        values=whole,
        beaten_by=_beaten_by(whole, used),
        left_out=tuple(point for point in known if point not in whole),
    )


def dominators(losses: Array) -> Array:
    """Shape (points, points): 1 where the row's point dominates the column's.

    `losses` has the shape (points, objectives); less is better.
    """
    no_worse = (losses[:, None] <= losses[None]).all(axis=2)
    better = (losses[:, None] < losses[None]).any(axis=2)
    found: Array = (no_worse & better).astype(float)
    return found


def value_of(row: Row, objective: Objective) -> float | None:
    """A point's value; the base has some by definition. A metric that no run has is no column."""
    value = row.get(objective.column)
    if value is None and row["method"] == BASE:
        return objective.of_base
    return float(value) if isinstance(value, int | float) else None


def _values(row: Row, quality: Objective) -> dict[str, float]:
    found = {objective.column: value_of(row, objective) for objective in (quality, *COSTS)}
    return {column: value for column, value in found.items() if value is not None}


def _beaten_by(values: Mapping[str, Mapping[str, float]], objectives: tuple[Objective, ...]) -> dict[str, str | None]:
    if not values:
        return {}
    points = list(values)
    losses = np.array([[-own[o.column] if o.higher else own[o.column] for o in objectives] for own in values.values()])
    found = dominators(losses)
    best_first = np.argsort(losses[:, 0], kind="stable")
    return {
        point: next((points[other] for other in best_first if found[other, place]), None)
        for place, point in enumerate(points)
    }
