"""The page's section on the reward model: what it gave each point's answers, and whether it shares the data's taste."""

from collections.abc import Mapping
from typing import Any

from prefsweep.account import Table, table
from prefsweep.cells import characters_more_than_base, whole
from prefsweep.comparison import Comparison, Interval, PointComparison
from prefsweep.leaderboard import number, ranked
from prefsweep.metrics import METRICS, REWARD_MODEL_SCORE
from prefsweep.plan import BASE
from prefsweep.planned_reward import PlannedRewardModel
from prefsweep.results import StudyResults
from prefsweep.reward_summary import agreement_with_data
from prefsweep.table import Row
from prefsweep.wording import count, signed, value_text

_CHANCE = 0.5
_WIN_RATE = "reward_model_win_rate"
_HEADS = [
    "point", "score (points)", "95 % interval", "difference to base", "95 % interval", "more than the base's",
    "95 % interval", "characters more than base", "not read",
]  # fmt: skip


def reward_section(study: StudyResults, comparison: Comparison, rows: Mapping[str, Row]) -> dict[str, Any]:
    """`lead`, `warnings`, `tables` and `failures`; all empty without a reward model, or before it scored anything."""
    model = study.plan.reward_model
    points = [point for point in ranked(comparison) if REWARD_MODEL_SCORE in point.metrics]
    failures = [run.rewarded.failure for run in study.runs if run.rewarded.failure]
    if model is None or not (points or failures):
        return {"lead": "", "warnings": [], "tables": [], "failures": []}
    return {
        "lead": _lead(model),
        "warnings": [*_taste(study), *_unread(rows)],
        "tables": [_scores(points, rows)] if points else [],
        "failures": [
            {"run": failure.run, "message": failure.message, "remedy": failure.remedy} for failure in failures
        ],
    }


def _lead(model: PlannedRewardModel) -> str:
    return (
        f"{model.name} (content {model.revision[:12]}, served in {model.settings.precision}) scored each answer in its "
        "place behind the prompt. Points are its own: they order answers, zero means nothing, and another model's are "
        "on another scale. Reward models like length; what they were not trained on they score all the same."
    )


def _taste(study: StudyResults) -> list[str]:
    found = agreement_with_data(study)
    if found is None:
        return []
    share, pairs = found
    told = f"Of {count(pairs, 'held-out pair')} of the data it gives more to the preferred answer in {share:.0%}."
    if share > _CHANCE:
        return [told]
    return [f"{told} It does not share the data's taste: what it scores high is not what was to be learnt."]


def _unread(rows: Mapping[str, Row]) -> list[str]:
    unread = sum(int(number(row, "reward_model_unread_answers") or 0) for row in rows.values())
    if not unread:
        return []
    verb = "is" if unread == 1 else "are"
    return [
        f"{count(unread, 'answer')} {verb} longer, with the prompt, than the model reads, showcase prompts included: "
        "without a score, and left out where the prompt is compared."
    ]


def _scores(points: list[PointComparison], rows: Mapping[str, Row]) -> Table:
    return table(
        "By the reward model, test half",
        _HEADS,
        [{"name": one.label, "method": one.method, "cells": _cells(one, rows[one.point])} for one in points],
    )


def _cells(point: PointComparison, row: Row) -> list[str]:
    score = point.metrics[REWARD_MODEL_SCORE]
    wins = point.metrics[_WIN_RATE].mean if _WIN_RATE in point.metrics and point.method != BASE else None
    return [
        *_mean(score.mean, METRICS[REWARD_MODEL_SCORE].unit),
        *_difference(score.difference),
        *_mean(wins, "share"),
        characters_more_than_base(point),
        whole(row, "reward_model_unread_answers"),
    ]


def _mean(mean: Interval | None, unit: str) -> list[str]:
    """Without its unit, which the head of the column has."""
    if mean is None:
        return ["n/a", "n/a"]
    values = (mean.estimate, mean.low, mean.high)
    estimate, low, high = (value_text(value, unit).removesuffix(f" {unit}").replace("-", "−") for value in values)
    return [estimate, f"{low} to {high}"]


def _difference(difference: Interval | None) -> list[str]:
    if difference is None:
        return ["n/a", "n/a"]
    values = (difference.estimate, difference.low, difference.high)
    estimate, low, high = (signed(value, "points").removesuffix(" points") for value in values)
    return [estimate, f"{low} to {high}"]
