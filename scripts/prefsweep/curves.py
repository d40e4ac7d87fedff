"""Training as the engines logged it: each run's course over its own share of training, and many runs' spread."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from prefsweep.results import RunResults
from prefsweep.statistics import Array

REACH = 20
"""A line's value is the mean over a 20th of the run to either side: batches differ, and that is not the course."""

MOST_LINES = 24
"""Runs of one panel. More lines hide one another: then their spread is drawn, and single runs that matter."""

MOST_SINGLED_OUT = 8

FEWEST_VALUES, MOST_VALUES = 25, 60
"""Of one line."""

BAND = (0.1, 0.5, 0.9)
"""Quantiles over runs: the band's ends and the line in it."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Quantity:
    """What is drawn in one row of panels: a column of the training's history, or two of one scale."""

    title: str
    columns: tuple[str, ...]
    """The first is drawn solid, the second dashed."""
    from_zero: bool = True
    share: bool = False


QUANTITIES = (
    Quantity("loss", ("loss",), from_zero=False),
    Quantity("reward margin", ("reward_margin",)),
    Quantity("reward accuracy", ("reward_accuracy",), share=True),
    Quantity("rewards: chosen answers solid, rejected ones dashed", ("chosen_reward", "rejected_reward")),
    Quantity(
        "log-probabilities: chosen answers solid, rejected ones dashed",
        ("chosen_log_prob", "rejected_log_prob"),
        from_zero=False,
    ),
    Quantity("estimated KL divergence from the base", ("kl",)),
)


@dataclass(frozen=True)
class Panel:
    """One method's runs in one quantity. Rows hold whole lines: lists of the same length under `x` and others."""

    lines: list[Row]
    """`run`, `column`, `x` (share of training), `y`, `last`, `main` (drawn strongly), `alarm` (empty without one)."""
    steps: list[Row]
    """Of strong lines, the single steps: `run`, `column`, `x`, `y`."""
    spread: list[Row]
    """Over all runs, where not every run is drawn: `column`, `x`, `low`, `middle`, `high`."""
    runs: int
    """With a line or only in the spread."""


@dataclass(frozen=True, eq=False)
class Course:
    """One column of one run's history, without steps whose value is missing or no number."""

    run: RunResults
    column: str
    shares: Array
    """Of the run's optimiser steps, at each value."""
    values: Array
    alarm: str
    """Names of the alarms that it gave rise to; mostly none."""

    @property
    def name(self) -> str:
        """How a reader tells its run from others."""
        return f"{self.run.point.label} · seed {self.run.run.seed}"


def panel(
    runs: Sequence[RunResults], quantity: Quantity, best: str | None, alarms: Mapping[tuple[str, str], str], most: int
) -> Panel | None:
    """A method's panel, lines of at most `most` values; None where no run has logged the quantity.

    `best` is the point whose runs are drawn strongly; without one, all are. `alarms`: run and column → names.
    """
    courses = [course for run in runs for column in quantity.columns for course in _course(run, column, alarms)]
    logged = list(dict.fromkeys(course.run.run.id for course in courses))
    if not courses:
        return None
    bests = dict.fromkeys(course.run.run.id for course in courses if best in (None, course.run.point.id))
    strong = [*bests, *dict.fromkeys(course.run.run.id for course in courses if course.alarm)]
    shown = logged if len(logged) <= MOST_LINES else strong[:MOST_SINGLED_OUT]
    drawn = [course for course in courses if course.run.run.id in shown]
    return Panel(
        lines=[_line(course, most, strong=course.run.run.id in strong) for course in drawn],
        steps=[
            _row(course, course.values, most)
            for course in drawn
            if course.run.run.id in strong and len(course.values) >= REACH
        ],
        spread=_spread(courses, quantity, most) if len(shown) < len(logged) else [],
        runs=len(logged),
    )


def smoothed(values: Array) -> Array:
    """Running mean over a `REACH`th of the run to either side, near the ends over what there is of it."""
    place, reach = np.arange(len(values)), len(values) // REACH
    low, high = np.maximum(place - reach, 0), np.minimum(place + reach + 1, len(values))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: Array = (sums[high] - sums[low]) / (high - low)
    return means


def _course(run: RunResults, column: str, alarms: Mapping[tuple[str, str], str]) -> Iterator[Course]:
    """One, or none where the run has not logged the column."""
    history = run.train.history if run.train else []
    found = [(step.step, value) for step in history if (value := getattr(step, column)) is not None]
    steps, values = np.array(found, dtype=float).reshape(-1, 2).T
    finite = np.isfinite(values)
    if run.train and finite.any():
        alarm = alarms.get((run.run.id, column), "")
        yield Course(run, column, steps[finite] / run.train.steps, values[finite], alarm)


def _line(course: Course, most: int, *, strong: bool) -> Row:
    row = _row(course, smoothed(course.values), most)
    return row | {"last": row["y"][-1], "main": strong, "alarm": course.alarm}


def _row(course: Course, values: Array, most: int) -> Row:
    kept = _kept(len(values), most)
    return {
        "run": course.name,
        "column": course.column,
        "x": [round(share, 4) for share in course.shares[kept].tolist()],
        "y": _short(values[kept]),
    }


def _spread(courses: Sequence[Course], quantity: Quantity, most: int) -> list[Row]:
    """Quantiles over runs on one grid of shares, from where the last run begins to be logged."""
    rows = []
    for column in quantity.columns:
        own = [course for course in courses if course.column == column]
        if own:
            grid = np.linspace(max(course.shares[0] for course in own), 1, most)
            values = [np.interp(grid, course.shares, smoothed(course.values)) for course in own]
            low, middle, high = map(_short, np.quantile(values, BAND, axis=0))
            x = [round(share, 4) for share in grid.tolist()]
            rows.append({"column": column, "x": x, "low": low, "middle": middle, "high": high})
    return rows


def _kept(length: int, most: int) -> list[int]:
    """At most so many places of a list, evenly, with the first and the last."""
    places = np.linspace(0, length - 1, min(length, most))
    return [round(place) for place in places.tolist()]


def _short(values: Array) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]
