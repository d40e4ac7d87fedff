"""What aligning cost elsewhere, as the page shows it: a column per task and metric, and what could have been seen."""

from typing import Any

from prefsweep.comparison import Comparison, MetricComparison
from prefsweep.leaderboard import title_of
from prefsweep.records.measure import TaskConditions
from prefsweep.statistics import ALPHA
from prefsweep.tax import TaskTax
from prefsweep.wording import amount, count, difference_text, joined, probability, range_text, signed, value_text


def tax_section(comparison: Comparison) -> dict[str, Any]:
    """`heads`, `rows` of a point's cells and `findings`, a sentence per head; nothing without tasks."""
    shown = [point for point in comparison.points if any(point.point in tax.points for tax in comparison.tax)]
    return {
        "heads": [
            {"task": tax.task, "how": conditions_text(tax.conditions), "metric": title_of(tax.metric.name)}
            for tax in comparison.tax
        ],
        "rows": [
            {"method": point.method, "label": point.label, "cells": [_cell(tax, point.point) for tax in comparison.tax]}
            for point in shown
        ],
        "findings": [(_title(tax), _finding(tax, comparison)) for tax in comparison.tax],
    }


def conditions_text(conditions: TaskConditions) -> str:
    """What is unlike plain documents, all of them, without solved examples: `first 100 documents, as chats`."""
    shots, limit = conditions.num_fewshot, conditions.limit
    parts = [
        "different numbers of solved examples" if shots is None else count(shots, "solved example") if shots else "",
        f"first {count(limit, 'document')}" if limit else "",
        "as chats" if conditions.apply_chat_template else "",
    ]
    return ", ".join(part for part in parts if part)


def _title(tax: TaskTax) -> str:
    how = conditions_text(tax.conditions)
    return f"{tax.task}, {title_of(tax.metric.name)}" + (f" ({how})" if how else "")


def _cell(tax: TaskTax, point: str) -> dict[str, str]:
    found = tax.points.get(point)
    if found is None:
        return {"text": "n/a", "note": ""}
    unit = tax.metric.unit
    if found.difference is None:
        return {"text": value_text(found.mean.estimate, unit), "note": ""}
    return {"text": signed(found.difference.estimate, unit), "note": range_text(found.difference, unit)}


def _finding(tax: TaskTax, comparison: Comparison) -> str:
    """What changed, or that nothing was seen to; what could have been seen; and which points have nothing to show."""
    labels = {point.point: point.label for point in comparison.points}
    compared = {point: found for point, found in tax.points.items() if found.difference is not None}
    changed = [point for point in compared if tax.p_adjusted.get(point, 1.0) < ALPHA]
    sentences = [_change(tax, point, labels[point]) for point in changed]
    if rest := len(compared) - len(changed):
        which = f"the other {rest:,}" if changed else f"any of {rest:,} points" if rest > 1 else "the one point"
        sentences.append(f"No change detected in {which}.")
    if compared:
        sentences.append(_detectable(tax, list(compared.values())))
    if missing := len(set(comparison.family) - compared.keys()):
        sentences.append(f"{count(missing, 'point')} without results on the documents of a base.")
    return " ".join(sentences)


def _change(tax: TaskTax, point: str, label: str) -> str:
    difference = tax.points[point].difference
    assert difference is not None
    gains = (difference.estimate > 0) == (tax.metric.direction == "higher")
    how = "" if tax.metric.direction == "neutral" else ", a gain" if gains else ", a loss"
    sure = f"adjusted p {probability(tax.p_adjusted[point])}"
    return f"{label}: {difference_text(difference, tax.metric.unit)}{how}, {sure}."


def _detectable(tax: TaskTax, compared: list[MetricComparison]) -> str:
    """The least effect these documents show, and what was left out of them."""
    effects = [effect for found in compared if (effect := found.minimum_detectable_effect) is not None]
    samples = dict.fromkeys(
        f"{count(found.prompts, 'document')} and {count(found.difference.seeds, 'seed')}"
        for found in compared
        if found.difference
    )
    sample = joined(list(samples))
    ends = list(dict.fromkeys(amount(effect, tax.metric.unit) for effect in sorted(effects)))
    if not ends:
        text = f"Every document gives the same difference, with {sample}."
    elif tax.metric.rate and min(effects) > 1:
        text = f"No change is detectable with {sample}."
    else:
        size = ends[0] if len(ends) == 1 else f"{ends[0].partition(' ')[0]} to {ends[-1]}, depending on the point,"
        text = f"Smallest detectable change {size} with {sample}."
    excluded = max(found.excluded_prompts for found in compared)
    return f"{text} Left out: up to {count(excluded, 'document')} that some run lacks." if excluded else text
