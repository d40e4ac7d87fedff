"""The page's section on the judge: who won against the base, also at equal length, and whether to believe the judge."""

from collections.abc import Mapping
from typing import Any

from prefsweep.account import Table, table
from prefsweep.comparison import Comparison, MetricComparison
from prefsweep.leaderboard import number, ranked
from prefsweep.metrics import WIN_RATE
from prefsweep.plan import BASE
from prefsweep.results import StudyResults
from prefsweep.table import Row
from prefsweep.wording import count

_CHANCE = 0.5
"""A judge that tosses a coin agrees with itself half of the time, one that follows the place alone never."""


def judge_section(study: StudyResults, comparison: Comparison, rows: Mapping[str, Row]) -> dict[str, Any]:
    """`lead`, `warnings`, `tables` and `failures`; all empty without a judge, or before it was asked."""
    judge = study.plan.judge
    points = [point for point in ranked(comparison) if number(rows[point.point], "judge_pairs")]
    failures = [run.judged.failure for run in study.runs if run.judged.failure]
    if judge is None or not (points or failures):
        return {"lead": "", "warnings": [], "tables": [], "failures": []}
    names = sorted({name for run in study.runs if run.judged.record for name in run.judged.record.served_models})
    called = f", which called itself {' and '.join(names)}" if names and names != [judge.settings.model] else ""
    return {
        "lead": f"{judge.settings.model} at {judge.settings.url}{called}, compared each answer with the base's to the "
        "same prompt, once in either order. A win is one in both orders; orders that disagree are a tie, and so are "
        "equal answers.",
        "warnings": [*_missing(rows), *_untrustworthy(rows)],
        "tables": [_outcomes(comparison, rows), _trust(study, comparison, rows)] if points else [],
        "failures": [
            {"run": failure.run, "message": failure.message, "remedy": failure.remedy} for failure in failures
        ],
    }


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
                    *(_whole(rows[point.point], f"judge_{name}") for name in ("wins", "ties", "losses", "missing")),
                    *_rate(point.metrics.get(WIN_RATE)),
                    _share(rows[point.point], "length_controlled_win_rate"),
                    _range(rows[point.point], "length_controlled_low", "length_controlled_high"),
                    _longer(point.metrics.get("characters")),
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
                    *(_whole(rows[point.point], f"judge_{name}") for name in ("pairs", "equal_answers")),
                    *(_share(rows[point.point], f"judge_{name}") for name in _TRUST),
                    *(_whole(rows[point.point], f"judge_{name}") for name in counted),
                    *([f"{number(rows[point.point], 'judge_cost') or 0:,.2f}"] if price else []),
                ],
            }
            for point in ranked(comparison)
            if point.method != BASE and number(rows[point.point], "judge_pairs")
        ],
    )


_TRUST = ("agreement", "first_preferred", "second_preferred")


def _missing(rows: Mapping[str, Row]) -> list[str]:
    missing = sum(int(number(row, "judge_missing") or 0) for row in rows.values())
    named = ("judge_wins", "judge_ties", "judge_losses", "judge_missing")
    asked = sum(int(number(row, name) or 0) for row in rows.values() for name in named)
    if not missing:
        return []
    return [
        f"{count(missing, 'comparison')} of {asked:,} on the test half have no verdict that could be read "
        f"({missing / asked:.0%}). They are left out, not counted as ties."
    ]


def _untrustworthy(rows: Mapping[str, Row]) -> list[str]:
    low = [value for row in rows.values() if (value := number(row, "judge_agreement")) is not None and value < _CHANCE]
    if not low:
        return []
    return [
        f"Of {count(len(low), 'point')} the judge's two orders agree in less than half of the pairs ({min(low):.0%} at "
        "least): it follows the order of the answers more than the answers."
    ]


def _rate(measured: MetricComparison | None) -> list[str]:
    if measured is None:
        return ["n/a", "n/a"]
    return [f"{measured.mean.estimate:.1%}", f"{measured.mean.low:.1%} to {measured.mean.high:.1%}"]


def _longer(measured: MetricComparison | None) -> str:
    difference = measured.difference if measured else None
    return "n/a" if difference is None else f"{difference.estimate:+,.0f}".replace("-", "−")


def _whole(row: Row, column: str) -> str:
    value = number(row, column)
    return "n/a" if value is None else f"{value:,.0f}"


def _share(row: Row, column: str) -> str:
    value = number(row, column)
    return "n/a" if value is None else f"{value:.1%}"


def _range(row: Row, low: str, high: str) -> str:
    return "n/a" if number(row, low) is None else f"{_share(row, low)} to {_share(row, high)}"
