"""The report's section on the data: in sentences what happened to the rows, in tables how they are."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prefsweep.account import Table, facts, table
from prefsweep.balance import balance_text
from prefsweep.comparison import Comparison
from prefsweep.data_charts import better_accuracies, stronger_rules
from prefsweep.plan import BASE
from prefsweep.records.audit import TOO_LONG, DataAudit, Lengths
from prefsweep.records.traits import BenchmarkDocuments, DataTraits, Languages
from prefsweep.results import StudyResults
from prefsweep.wording import count, joined

_MOST_LANGUAGES = 6


def data_section(study: StudyResults, comparison: Comparison) -> dict[str, Any]:
    """What the template shows; without an audit only where the data came from."""
    source = study.plan.data.model_dump()
    audit = study.audit
    if audit is None:
        return {"facts": list(facts(source)), "sentences": [], "tables": [], "repeats": [], "audit": []}
    rest = audit.model_dump(exclude={"notices", "duplicates", *source})
    return {
        "facts": list(facts(source)),
        "sentences": list(_sentences(audit, study.traits, comparison)),
        "tables": [found for found in _tables(audit, study.traits) if found["rows"]],
        "repeats": audit.duplicates.listed,
        "audit": list(facts(rest)),
    }


def unbeaten_rule(traits: DataTraits | None, comparison: Comparison) -> str | None:
    """A sentence when a rule without a model picks the chosen answer at least as often as every method does."""
    accuracies = better_accuracies(comparison)
    methods = [point for point in comparison.points if point.method != BASE and point.point in accuracies]
    rules = stronger_rules(traits) if traits else []
    if not methods or not rules:
        return None
    best = max(methods, key=lambda point: accuracies[point.point])
    if rules[0].test < accuracies[best.point]:
        return None
    rule, share = rules[0], accuracies[best.point]
    return (
        f"No method beats a rule that needs no model: “{rule.rule}” picks the chosen answer of {_share(rule.test)} "
        f"of the test pairs, the best method ({best.label}) of {_share(share)}."
    )


def _sentences(audit: DataAudit, traits: DataTraits | None, comparison: Comparison) -> Iterator[str]:
    yield _kept(audit)
    yield _seen(audit)
    if rule := unbeaten_rule(traits, comparison):
        yield rule
    yield from _length_bias(audit)
    yield _duplicates(audit)
    yield _leakage(audit)
    if traits:
        yield from _benchmarks(traits.benchmarks)
        yield from map(balance_text, traits.balances)
    yield _row_lengths(audit)


def _row_lengths(audit: DataAudit) -> str:
    too_long = audit.training_dropped.get(TOO_LONG, 0)
    text = f"The longest training row has {audit.row_tokens.longest:,} tokens, and {audit.max_length:,} are allowed"
    share = f"{100 * too_long / audit.training_rows_in:.1f} %"
    return f"{text}: no method sees the {count(too_long, 'row')} ({share}) beyond." if too_long else f"{text}."


def _kept(audit: DataAudit) -> str:
    dropped = joined([f"{rows:,} {reason}" for reason, rows in audit.training_dropped.items()])
    text = f"Of {count(audit.training_rows_in, 'training row')} {audit.training_rows:,} were kept"
    return f"{text}; dropped: {dropped}." if dropped else f"{text}."


def _seen(audit: DataAudit) -> str:
    prompts = count(audit.training_prompts, "prompt")
    if audit.content == "pairs":
        pairs = count(audit.training_rows, "pair")
        return f"Every method learns from the same {pairs} about {prompts}; KTO from their answers one by one."
    larger = max(audit.desirable_rows, audit.undesirable_rows) / audit.training_rows
    labels = f"{audit.desirable_rows:,} desirable and {audit.undesirable_rows:,} undesirable answers"
    guess = f"Always guessing the commoner label would be right for {_share(larger)}"
    return f"The rows are labelled one by one: {labels} to {prompts}. {guess}."


def _length_bias(audit: DataAudit) -> Iterator[str]:
    chosen, rejected = audit.training_lengths.chosen_tokens, audit.training_lengths.rejected_tokens
    if chosen is None or rejected is None:
        return
    good, bad = ("chosen", "rejected") if audit.content == "pairs" else ("desirable", "undesirable")
    text = f"Half of the {good} answers have more than {chosen.p50:,.0f} tokens, half of the {bad} ones more than"
    ratio = chosen.p50 / max(rejected.p50, 1)
    yield f"{text} {rejected.p50:,.0f}{'' if 0.8 <= ratio <= 1.25 else ': a method can learn length alone'}."


def _duplicates(audit: DataAudit) -> str:
    found = audit.duplicates
    if not found.exact_rows + found.near_rows:
        return "No training row repeats another, not even nearly."
    fate = "all were kept" if found.policy == "keep" else "all were dropped"
    repeats = f"{found.exact_rows:,} exactly, {found.near_rows:,} nearly"
    return f"Training rows that repeat another: {repeats}; {fate} (duplicates: {found.policy})."


def _leakage(audit: DataAudit) -> str:
    removed = audit.leakage.shared_13_grams + audit.leakage.near_prompts
    text = "No held-out prompt is known from training: not word for word, not by 13 words in a row, not nearly"
    text = f"{text}; {count(removed, 'held-out row')} had to go for that." if removed else f"{text}."
    alike = audit.heldout_joined_prompts
    return f"{text} Held-out prompts that nearly repeat another and count as one with it: {alike:,}." if alike else text


def _benchmarks(found: BenchmarkDocuments) -> Iterator[str]:
    if found.files:
        files = joined([file.name for file in found.files])
        shared = f"{found.overlaps:,} share" if found.overlaps else "none shares"
        first = f" ({found.listed[0]})" if found.listed else ""
        yield (
            f"{count(found.documents, 'benchmark document')} ({files}) held against the rows that were trained on: "
            f"{shared} 13 words in a row with one{first}."
        )
    if found.not_compared:
        yield (
            f"Not compared with training, because their documents are on a hub: {joined(found.not_compared)}. "
            "Leaks that are publicly known are among the plan's notices."
        )


def _tables(audit: DataAudit, traits: DataTraits | None) -> Iterator[Table]:
    yield _row_table(audit)
    rules = [(rule.rule, [_share(rule.test), _share(rule.heldout)]) for rule in (traits.baselines if traits else [])]
    yield _grid("Chosen answers picked by rules without a model", ["rule", "test half", "all held-out"], rules)
    yield _length_table(audit)
    if traits:
        yield _language_table(audit, traits.languages)


def _row_table(audit: DataAudit) -> Table:
    reasons = dict.fromkeys([*audit.training_dropped, *audit.heldout_dropped])
    heldout_prompts = sum(half.prompts for half in audit.halves.values())
    rows = [("read", [f"{audit.training_rows_in:,}", f"{audit.heldout_rows_in:,}"])]
    for reason in reasons:
        numbers = (audit.training_dropped.get(reason, 0), audit.heldout_dropped.get(reason, 0))
        rows.append((f"dropped: {reason}", [f"{number:,}" if number else "–" for number in numbers]))
    rows.append(("kept", [f"{audit.training_rows:,}", f"{audit.heldout_rows:,}"]))
    rows.append(("distinct prompts", [f"{audit.training_prompts:,}", f"{heldout_prompts:,}"]))
    rows += [(f"of them in the {half} half", ["–", f"{number.prompts:,}"]) for half, number in audit.halves.items()]
    return _grid("Rows", ["rows", "training", "held-out"], rows)


def _length_table(audit: DataAudit) -> Table:
    good, bad = ("chosen", "rejected") if audit.content == "pairs" else ("desirable", "undesirable")
    heads = ["length", *(f"{kind}, {what}" for kind in (good, bad) for what in ("median", "95 %"))]
    rows = []
    for name, lengths in (("training", audit.training_lengths), ("held-out", audit.heldout_lengths)):
        rows.append((f"{name}, tokens", _lengths(lengths.chosen_tokens, lengths.rejected_tokens)))
        rows.append((f"{name}, characters", _lengths(lengths.chosen_characters, lengths.rejected_characters)))
    return _grid("Length of answers", heads, rows)


def _lengths(*kinds: Lengths | None) -> list[str]:
    values = [(found.p50, found.p95) if found else (None, None) for found in kinds]
    return ["–" if value is None else f"{value:,.0f}" for both in values for value in both]


def _language_table(audit: DataAudit, found: Languages) -> Table:
    parts = (found.prompts, found.chosen, found.rejected)
    names = sorted(Counter(found.prompts) + Counter(found.chosen) + Counter(found.rejected))
    names.sort(key=lambda name: -sum(part.get(name, 0) for part in parts))
    rows = [
        ("not to be told" if name == "und" else name, [_of(part, name) for part in parts])
        for name in names[:_MOST_LANGUAGES]
    ]
    good, bad = ("chosen", "rejected") if audit.content == "pairs" else ("desirable", "undesirable")
    caption = f"Languages in a sample of {count(found.sampled_rows, 'training row')}"
    return _grid(caption, ["language", "prompts", good, bad], rows)


def _of(part: Mapping[str, int], name: str) -> str:
    return _share(part.get(name, 0) / sum(part.values())) if part else "–"


def _share(value: float) -> str:
    return f"{value:.0%}".replace("%", " %")


def _grid(caption: str, heads: list[str], rows: list[tuple[str, list[str]]]) -> Table:
    return table(caption, heads, [{"name": name, "method": None, "cells": cells} for name, cells in rows])
