"""`hyperparameters.csv` and `tries.csv`: what a sweep teaches, as tables (docs/results.md)."""

import json

import pandas as pd

from prefsweep.comparison import Comparison
from prefsweep.statistics import Interval

_EFFECT = (
    "method", "setting", "value", "reference_value", "metric", "unit", "pairs", "pairs_above", "seeds",
    "prompt_clusters", "difference", "difference_low", "difference_high", "difference_standard_error",
)  # fmt: skip
_TRIES = (
    "method", "tries", "points_finished", "points_lost", "metric", "unit", "seeds", "prompt_clusters", "expected",
    "expected_low", "expected_high", "expected_standard_error",
)  # fmt: skip


def hyperparameters_table(comparison: Comparison) -> pd.DataFrame:
    """One row per method, swept setting and value other than the lowest; no rows where nothing was swept."""
    rows = [
        [
            effect.method, effect.setting, json.dumps(effect.value), json.dumps(effect.reference),
            comparison.primary_metric, comparison.unit, effect.pairs, effect.pairs_above, *_numbers(effect.difference),
        ]
        for effect in comparison.lessons.effects
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=_EFFECT, dtype=object)


def tries_table(comparison: Comparison) -> pd.DataFrame:
    """One row per method and number of tries; no rows for a method with fewer than two finished points."""
    rows = [
        [
            best.method, best.tries, best.points, best.lost, comparison.primary_metric, comparison.unit,
            *_numbers(best.expected),
        ]
        for best in comparison.lessons.best_of
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=_TRIES, dtype=object)


def _numbers(found: Interval) -> list[float]:
    return [found.seeds, found.clusters, found.estimate, found.low, found.high, found.standard_error]
