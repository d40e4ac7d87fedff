"""The page's section on the judge: who won, also at equal length, and whether to believe the judge."""

from collections.abc import Mapping, Sequence
from typing import Any

from prefsweep.account import Table, table
from prefsweep.cells import characters_more_than_base, share, share_range, whole
from prefsweep.comparison import Comparison, MetricComparison
from prefsweep.leaderboard import number, ranked
from prefsweep.metrics import WIN_RATE
from prefsweep.plan import BASE
from prefsweep.results import StudyResults
from prefsweep.rivals_section import rivals_section
from prefsweep.rivals_table import rival_rows
from prefsweep.table import Row
from prefsweep.wording import count

_CHANCE = 0.5
"""A judge that tosses a coin agrees with itself half of the time, one that follows the place alone never."""


def judge_section(study: StudyResults, comparison: Comparison, rows: Mapping[str, Row]) -> dict[str, Any]:
    """`lead`, `warnings`, `tables`, `rivals` and `failures`; all empty without a judge, or before it was asked."""
    judge = study.plan.judge
    points = [point for point in ranked(comparison) if number(rows[point.point], "judge_pairs")]
    between = rival_rows(study, comparison)
    rivals, failures = rivals_section(study, comparison, between), _failures(study)
    if judge is None or not (points or rivals or failures):
        return {"lead": "", "warnings": [], "tables": [], "rivals": {}, "failures": []}
    names = sorted({name for run in study.runs if run.judged.record for name in run.judged.record.served_models})
    called = f", which called itself {' and '.join(names)}" if names and names != [judge.model] else ""
    return {
        "lead": f"{judge.described}{called}, compared each answer with the base's to the "
        "same prompt, once in either order. A win is one in both orders; orders that disagree are a tie, and so are "
        "equal answers.",
        "warnings": [*_missing([*rows.values(), *between]), *_untrustworthy([*rows.values(), *between])],
        "tables": [_outcomes(comparison, rows), _trust(study, comparison, rows)] if points else [],
        "rivals": rivals,
        "failures": failures,
    }


def _failures(study: StudyResults) -> list[dict[str, str]]:
    """What could not be judged, and what to do."""
    found = [(f"{run.run.id} was not judged", run.judged.failure) for run in study.runs]
    found.append(("The methods were not judged against each other", study.rivals.failure))
    return [{"what": what, "message": failure.message, "remedy": failure.remedy} for what, failure in found if failure]


def _outcomes(comparison: Comparison, rows: Mapping[str, Row]) -> Table:
    heads = ["point", "win", "tie", "loss", "missing", "win rate", "95 % interval", "length-controlled (own fit)"]
    heads += ["95 % interval", "characters more than base"]
    return table(
        "Against the base, test half",
        heads,
        [
            {
                "name": point.label,
                "method": point.method,
                "cells": [
                    *(whole(rows[point.point], f"judge_{name}") for name in ("wins", "ties", "losses", "missing")),
                    *_rate(point.metrics.get(WIN_RATE)),
                    share(rows[point.point], "length_controlled_win_rate"),
                    share_range(rows[point.point], "length_controlled_low", "length_controlled_high"),
                    characters_more_than_base(point),
                ],
            }
            for point in ranked(comparison)
            if point.method != BASE and number(rows[point.point], "judge_pairs")
        ],
    )


def _trust(study: StudyResults, comparison: Comparison, rows: Mapping[str, Row]) -> Table:
    price = study.plan.judge.settings.price if study.plan.judge else None
    heads = ["point", "pairs", "equal answers", "orders agree", "first preferred twice", "second preferred twice"]
    heads += ["requests", "tokens in", "tokens out", *([price.currency] if price else [])]
    counted = ["requests", "input_tokens", "output_tokens"]
    return table(
        "The judge, all judged prompts",
        heads,
        [
            {
                "name": point.label,
                "method": point.method,
                "cells": [
                    *(whole(rows[point.point], f"judge_{name}") for name in ("pairs", "equal_answers")),
                    *(share(rows[point.point], f"judge_{name}") for name in _TRUST),
                    *(whole(rows[point.point], f"judge_{name}") for name in counted),
                    *([f"{number(rows[point.point], 'judge_cost') or 0:,.2f}"] if price else []),
                ],
            }
            for point in ranked(comparison)
            if point.method != BASE and number(rows[point.point], "judge_pairs")
        ],
    )


_TRUST = ("agreement", "first_preferred", "second_preferred")


def _missing(rows: Sequence[Row]) -> list[str]:
    missing = sum(int(number(row, "judge_missing") or 0) for row in rows)
    named = ("judge_wins", "judge_ties", "judge_losses", "judge_missing")
    asked = sum(int(number(row, name) or 0) for row in rows for name in named)
    if not missing:
        return []
    return [
        f"{count(missing, 'comparison')} of {asked:,} on the test half have no verdict that could be read "
        f"({missing / asked:.0%}). They are left out, not counted as ties."
    ]


def _untrustworthy(rows: Sequence[Row]) -> list[str]:
    low = [value for row in rows if (value := number(row, "judge_agreement")) is not None and value < _CHANCE]
    if not low:
        return []
    return [
        f"In {count(len(low), 'comparison')} of two points the judge's orders agree on less than half of the prompts "
        f"({min(low):.0%} at least): it follows the order of the answers more than the answers."
    ]


def _rate(measured: MetricComparison | None) -> list[str]:
    if measured is None:
        return ["n/a", "n/a"]
    return [f"{measured.mean.estimate:.1%}", f"{measured.mean.low:.1%} to {measured.mean.high:.1%}"]
