"""What a reader should know before money is spent on a study."""

from collections import Counter
from typing import Any

from prefsweep.balance import balance_text, is_published, label_balance, label_weights
from prefsweep.checking import DatasetCounts
from prefsweep.engine_arguments import engine_notices
from prefsweep.methods import Method
from prefsweep.plan import BASE, Point
from prefsweep.search import as_search
from prefsweep.study import StudyConfig
from prefsweep.wording import joined


def plan_notices(
    config: StudyConfig, points: list[Point], methods: dict[str, Method], counts: DatasetCounts | None
) -> list[str]:
    """Unequal budgets, values outside what was published, and what labelled rows leave out."""
    trained = [point for point in points if point.method != BASE]
    notices = []
    tried = Counter(point.method for point in trained)
    if len(set(tried.values())) > 1:
        budget = ", ".join(f"{name} {count}" for name, count in tried.items())
        notices.append(f"Unequal tuning budget, points per method: {budget}.")
    wanted = as_search(config.search).random
    for name, count in tried.items():
        if wanted and count < wanted:
            notices.append(f"{name}: its space has {count} points, fewer than the {wanted} to be drawn: all are tried.")
    notices += counts.notices if counts else []
    notices += _of_labelled_data(methods, counts)
    notices += engine_notices(trained)
    outside: dict[str, None] = {}
    for point in trained:
        outside |= dict.fromkeys(_outside_published(methods[point.method], point.settings))
    return [*notices, *outside, *_unbalanced(trained, methods, counts)]


def _of_labelled_data(methods: dict[str, Method], counts: DatasetCounts | None) -> list[str]:
    if counts is None or counts.content == "pairs":
        return []
    able = joined([name for name, method in methods.items() if method.data == "labelled"])
    desirable, undesirable = counts.labels[True], counts.labels[False]
    labels = f"{desirable:,} desirable, {undesirable:,} undesirable"
    notices = [
        f"Rows are labelled one by one ({labels}): methods other than {able} are left out, because they learn from two "
        "answers to the same prompt."
    ]
    if not counts.has_pairs:
        notices.append(
            "No held-out pairs: preference accuracy and margins cannot be measured, only how answers look and how "
            "likely the model finds the desirable ones."
        )
    return notices


def _outside_published(method: Method, settings: dict[str, Any]) -> list[str]:
    return [
        f"{method.method}: {knob} {settings[knob]:g} is outside the published {low:g}–{high:g} ({spec.source})."
        for knob, spec in method.knobs.items()
        if spec.published is not None
        for low, high in [spec.published]
        if not low <= settings[knob] <= high
    ] + _outside_lora_rates(method, settings)


def _outside_lora_rates(method: Method, settings: dict[str, Any]) -> list[str]:
    rate, (low, high) = settings["learning_rate"], method.learning_rate.published
    if low <= rate <= high:
        return []
    source = method.learning_rate.source.strip().removeprefix("LoRA: ")
    return [f"{method.method}: learning_rate {rate:g} is outside {low:g}–{high:g}, the range for a LoRA: {source}."]


def _unbalanced(points: list[Point], methods: dict[str, Method], counts: DatasetCounts | None) -> list[str]:
    balances = [label_balance(weights, counts.labels) for weights in label_weights(points, methods)] if counts else []
    return [balance_text(balance) for balance in balances if not is_published(balance)]
