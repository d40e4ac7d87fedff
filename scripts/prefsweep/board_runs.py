"""A point's runs as rows of the leaderboard, in the columns of the point's own row."""

from typing import Any

from prefsweep.board_cells import EMPTY, Cell, cell, difference_cell, minutes, value_cell
from prefsweep.board_scale import Scale
from prefsweep.comparison import Comparison, PointComparison
from prefsweep.plan import BASE
from prefsweep.results import RunResults
from prefsweep.speed_control import SpeedControl
from prefsweep.tax_summary import mean_change
from prefsweep.wording import unit_in_cells


def fragment(run: str) -> str:
    """A run's id as the end of a link inside the page: `dpo-1f3a9c04-seed-0`."""
    return run.replace("/", "-")


def run_row(
    run: RunResults, point: PointComparison, comparison: Comparison, scale: Scale, control: SpeedControl
) -> dict[str, Any]:
    """One seed: its means and difference on the point's prompts, what became of it, its own cost."""
    primary, words = point.metrics.get(comparison.primary_metric), point.metrics.get("words")
    difference = primary.seed_differences.get(run.run.seed) if primary else None
    speed, unit = control.by_run.get(run.run.id), unit_in_cells(comparison.unit)
    return {
        "id": fragment(run.run.id),
        "path": run.run.id,
        "seed": run.run.seed,
        "status": run.status,
        "why": run.failures[0].failure if run.failures else "",
        "kept": run.provenance is not None,
        "middle": None if difference is None else scale.x(difference),
        "estimate": value_cell(primary.seed_means.get(run.run.seed) if primary else None, unit),
        "difference": EMPTY if point.method == BASE else difference_cell(difference, unit),
        "cells": [
            cell(words.seed_means.get(run.run.seed) if words else None, "{:.1f}".format),
            difference_cell(mean_change(comparison.tax, point.point, run.run.seed), "share"),
            EMPTY,
            cell(speed.output_tokens_per_second if speed else None, "{:,.1f}".format),
            _training(run),
        ],
    }


def _training(run: RunResults) -> Cell:
    if run.point.method == BASE:
        return EMPTY
    return cell(run.train.train_seconds if run.train else None, minutes)
