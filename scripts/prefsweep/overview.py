"""Several studies of one file side by side: what their own comparisons say, each for its model and data set.

Nothing is computed across them: they measure different prompts, or different models.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pandas as pd

from prefsweep.files import write_text
from prefsweep.leaderboard import title_of
from prefsweep.plan import BASE, Plan
from prefsweep.rendering import page
from prefsweep.spreadsheet import csv_text
from prefsweep.wording import signed, value_text

WIDTH = 170
"""Of a cell's drawing."""
_MARGIN = 8


@dataclass(frozen=True)
class Compared:
    """One of the studies: its plan, and the table its comparison has written."""

    folder: str
    plan: Plan
    points: pd.DataFrame
    """The rows of `comparison.csv`."""

    @classmethod
    def read(cls, study_directory: Path) -> Self:
        """Raises FileNotFoundError where a study has not been compared."""
        points = pd.read_csv(study_directory / "report" / "comparison.csv")
        return cls(study_directory.name, Plan.read(study_directory / "plan.json"), points)

    @property
    def best(self) -> dict[str, pd.Series]:
        """Method → its best point on the development half; its first where none was measured."""
        trained = self.points[self.points["method"] != BASE]
        ordered = trained.sort_values("best_of_method", ascending=False, kind="stable")
        chosen = ordered.drop_duplicates("method").sort_index()
        return {str(row["method"]): row for _, row in chosen.iterrows()}

    @property
    def answer(self) -> str:
        """What its page says first, in a sentence."""
        recommended = self.points[self.points["recommended"]]
        if recommended.empty:
            return "no point is recommended"
        row = recommended.iloc[0]
        return f"{row['label']}: {row['reason']}"

    @property
    def runs(self) -> str:
        """How much of it is in: `5 of 6`."""
        return f"{self.points['seeds_finished'].sum()} of {self.points['seeds_planned'].sum()}"

    @property
    def base(self) -> str:
        """The base's own value of the primary metric."""
        row = self.points[self.points["method"] == BASE].iloc[0]
        return "n/a" if _missing(row["estimate"]) else value_text(float(row["estimate"]), str(row["unit"]))


def write_overview(study_directories: Sequence[Path], directory: Path) -> None:
    """Write `overview.csv`, every row of every comparison, and `index.html`, which leads to their pages."""
    studies = [Compared.read(study) for study in study_directories]
    write_text(directory / "overview.csv", csv_text(overview_table(studies)))
    write_text(directory / "index.html", render_overview(studies))


def overview_table(studies: Sequence[Compared]) -> pd.DataFrame:
    """The comparisons one below the other, each row with its model and data set."""
    tables = []
    for study in studies:
        table = study.points.astype(object).where(study.points.notna(), None)
        names = {"model": study.plan.model.name, "data": study.plan.data.name}
        tables.append(pd.concat([pd.DataFrame(names, index=table.index), table], axis="columns"))
    return pd.concat(tables, ignore_index=True)


def render_overview(studies: Sequence[Compared]) -> str:
    """The page's HTML: a row for each model and data set, a column for each method's best point."""
    methods = list(dict.fromkeys(method for study in studies for method in study.best))
    scale = _scale(row for study in studies for row in study.best.values())
    first = studies[0].plan
    return page(
        "overview.html",
        first.study.partition("/")[0],
        methods,
        metric=title_of(first.primary_metric),
        width=WIDTH,
        zero=scale(0.0),
        rows=[_row(study, methods, scale) for study in studies],
    )


def _row(study: Compared, methods: Sequence[str], scale: "_Scale") -> dict[str, Any]:
    return {
        "model": study.plan.model.name,
        "data": study.plan.data.name,
        "page": f"../{study.folder}/report/index.html",
        "answer": study.answer,
        "runs": study.runs,
        "base": study.base,
        "cells": [_cell(study.best[method], scale) if method in study.best else None for method in methods],
    }


def _cell(row: pd.Series, scale: "_Scale") -> dict[str, Any]:
    """A method's best point against the base: in words, and where its interval is drawn."""
    verdict = str(row["verdict"])
    cell: dict[str, Any] = {"label": row["label"], "verdict": verdict, "verdict_class": verdict.replace(" ", "-")}
    ends = [row[name] for name in _ENDS]
    if any(map(_missing, ends)):
        return cell | {"method": row["method"], "difference": "n/a", "interval": "", "drawn": None}
    low, middle, high = map(float, ends)
    unit = str(row["unit"])
    return cell | {
        "method": row["method"],
        "difference": signed(middle, unit),
        "interval": f"{signed(low, unit)} to {signed(high, unit)}",
        "drawn": {"low": scale(low), "middle": scale(middle), "high": scale(high)},
    }


_ENDS = ("difference_low", "difference_to_base", "difference_high")


@dataclass(frozen=True)
class _Scale:
    """From a difference to a place in a drawing, the same for all of them."""

    low: float
    high: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_MARGIN + share * (WIDTH - 2 * _MARGIN), 1)


def _scale(rows: Any) -> _Scale:
    ends = [float(row[name]) for row in rows for name in _ENDS if not _missing(row[name])]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    return _Scale(low, high) if low < high else _Scale(-1.0, 1.0)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
