"""The part of the page's section on the judge in which the methods meet each other."""

from collections.abc import Sequence
from typing import Any

from prefsweep.account import Table, table
from prefsweep.cells import share, share_range, whole
from prefsweep.comparison import Comparison
from prefsweep.leaderboard import number
from prefsweep.results import StudyResults
from prefsweep.table import Row
from prefsweep.wording import count, probability


def rivals_section(study: StudyResults, comparison: Comparison, rows: Sequence[Row]) -> dict[str, Any]:
    """`lead`, `table` and `reasons`; empty where no two points have met. `rows` are those of `rivals.csv`."""
    judge = study.plan.judge
    if judge is None or not any(rivals.seeds for rivals in comparison.rivals):
        return {}
    whom = "the recommended point" if judge.settings.rivals == "recommended" else "every other"
    one_seed = " One seed: these are checkpoints, not methods." if len(study.plan.seeds) == 1 else ""
    return {
        "lead": f"The best point of each method, chosen on the development half, met {whom} seed by seed on the "
        "prompts of the test half, as it met the base. The win rate is that of the point named first, and a difference "
        f"is to 50 %. Intervals are at 95 %; p-values are adjusted by Holm over {count(len(rows), 'pair')}.{one_seed}",
        "table": _table(rows),
        "reasons": [
            {
                "method": row["method"],
                "label": f"{row['label']} against {row['opponent_label']}",
                "reason": rivals.reason,
                "caveats": "; ".join(rivals.caveats),
            }
            for row, rivals in zip(rows, comparison.rivals, strict=True)
        ],
    }


def _table(rows: Sequence[Row]) -> Table:
    heads = ["point", "against", "win", "tie", "loss", "missing", "win rate", "95 % interval", "p", "verdict"]
    heads += ["length-controlled (own fit)", "95 % interval", "orders agree"]
    cells = [
        [
            row["opponent_label"],
            *(whole(row, f"judge_{name}") for name in ("wins", "ties", "losses", "missing")),
            share(row, "win_rate"),
            share_range(row, "win_rate_low", "win_rate_high"),
            probability(number(row, "p_adjusted")),
            row["verdict"],
            share(row, "length_controlled_win_rate"),
            share_range(row, "length_controlled_low", "length_controlled_high"),
            share(row, "judge_agreement"),
        ]
        for row in rows
    ]
    named = [
        {"name": row["label"], "method": row["method"], "cells": own} for row, own in zip(rows, cells, strict=True)
    ]
    return table("Between methods, test half", heads, named)
