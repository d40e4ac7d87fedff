"""What the sweep teaches, on the page: each setting's effect, and the best of so many tries, drawn and in tables."""

from typing import Any

from prefsweep.account import Table, table
from prefsweep.comparison import Comparison
from prefsweep.leaderboard import title_of
from prefsweep.lesson_charts import setting_text
from prefsweep.lessons import BestOf, Effect
from prefsweep.wording import count, difference_text, estimate_text, joined, unit_in_cells, unit_of_table

MOST_ROWS = 60
"""Of the table of effects; `hyperparameters.csv` has all of them."""
_TRIES = (1, 2, 4, 8, 16, 32)


def lessons_section(comparison: Comparison) -> dict[str, Any]:
    """A lead and tables; no tables where nothing was swept."""
    effects, best_of = comparison.lessons.effects, comparison.lessons.best_of
    tables = [_best_of_table(best_of, comparison.unit)] if best_of else []
    tables += [_effects_table(effects, comparison)] if effects else []
    return {"lead": _lead(comparison), "tables": tables}


def _lead(comparison: Comparison) -> str:
    """What the reader may take from the section, and what is missing from it."""
    effects, best_of = comparison.lessons.effects, comparison.lessons.best_of
    text = (
        "Exploration, not claims: intervals are at 95 %, over seeds and prompts, not adjusted for their number, and "
        "say nothing of settings that were not tried. A setting's effect compares points that differ in nothing else, "
        "on the development half. The best of so many tries is picked there and measured on the test half: methods "
        "compare at an equal number of tries."
    )
    if lost := {best.method: best.lost for best in best_of if best.lost}:
        failed = joined([f"{number} of {method}" for method, number in lost.items()])
        text += f" Points of which a run failed count as tries that are never the best: {failed}."
    paired = {effect.method for effect in effects}
    if alone := [method for method in dict.fromkeys(best.method for best in best_of) if method not in paired]:
        text += f" No two points of {joined(alone)} differ in one setting only, so that no setting has an effect there."
    return text


def _best_of_table(best_of: list[BestOf], unit: str) -> Table:
    tries = [number for number in _TRIES if any(best.tries == number for best in best_of)]
    rows = []
    for method in dict.fromkeys(best.method for best in best_of):
        of_method = [best for best in best_of if best.method == method]
        own = {best.tries: estimate_text(best.expected, unit_in_cells(unit)) for best in of_method}
        finished = f"{of_method[0].points} of {of_method[0].points + of_method[0].lost}"
        cells = [finished, *(own.get(number, "–") for number in tries), own[max(own)]]
        rows.append({"name": method, "method": method, "cells": cells})
    heads = ["method", "points finished", *(f"best of {number}" for number in tries), "best of all"]
    title = "Expected value on the test half of the best of so many points, drawn at random"
    return table(f"{title}{unit_of_table(unit)}", heads, rows)


def _effects_table(effects: list[Effect], comparison: Comparison) -> Table:
    rows = [
        {
            "name": f"{effect.method} {effect.setting.replace('_', ' ')}",
            "method": effect.method,
            "cells": [
                f"{setting_text(effect.reference)} → {setting_text(effect.value)}",
                difference_text(effect.difference, unit_in_cells(comparison.unit)),
                f"{effect.pairs_above} of {effect.pairs}",
                str(effect.difference.seeds),
            ],
        }
        for effect in effects[:MOST_ROWS]
    ]
    more = f" ({count(len(effects) - MOST_ROWS, 'row')} more in hyperparameters.csv)" if effects[MOST_ROWS:] else ""
    heads = ["setting", "from → to", "difference", "pairs in which it rose", "seeds"]
    title = title_of(comparison.primary_metric)
    what = f"What a setting did to {title}{unit_of_table(comparison.unit)}, on the development half{more}"
    return table(what, heads, rows)
