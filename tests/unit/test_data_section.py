"""The data section: plain sentences that follow from the audit, and a rule without a model held against the methods."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compare import compared
from prefsweep.balance import label_balance
from prefsweep.comparison import Comparison
from prefsweep.data_charts import length_figure, rule_figure, stronger_rules
from prefsweep.data_section import data_section, unbeaten_rule
from prefsweep.palette import method_colours
from prefsweep.records.audit import DuplicateRows
from prefsweep.records.traits import BaselineAccuracy, LabelWeights
from prefsweep.results import StudyResults, read_study
from tests.example_study import Shape, build_study


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyResults, Comparison]:
    study = read_study(build_study(tmp_path_factory.mktemp("study"), Shape(methods=("dpo", "kto"), heldout=8, steps=3)))
    return study, compared(study)


def changed(study: StudyResults, **values: Any) -> StudyResults:
    assert study.audit is not None
    return replace(study, audit=study.audit.model_copy(update=values))


def ruled(study: StudyResults, *rules: BaselineAccuracy) -> StudyResults:
    """With these rules instead of its own."""
    assert study.traits is not None
    return replace(study, traits=study.traits.model_copy(update={"baselines": list(rules)}))


def sentences(study: StudyResults, comparison: Comparison) -> str:
    return " ".join(data_section(study, comparison)["sentences"])


def test_what_happened_to_the_rows_is_said(example: tuple[StudyResults, Comparison]) -> None:
    text = sentences(*example)
    for expected in (
        "Of 168 training rows 160 were kept; dropped: 8 longer than max_length.",
        "the same 160 pairs about 155 prompts",
        "Half of the chosen answers have more than 148 tokens, half of the rejected ones more than 101: a method can",
        "1 exactly, 1 nearly; all were kept",
        "1 held-out row had to go for that",
        "no method sees the 8 rows (4.8 %) beyond",
        "12 benchmark documents (benchmarks/own.jsonl) held against the rows that were trained on: none shares",
        "Not compared with training, because their documents are on a hub: truthfulqa_mc2.",
    ):
        assert expected in text


def test_labelled_rows_are_described_as_such(example: tuple[StudyResults, Comparison]) -> None:
    study, comparison = example
    labelled = ruled(changed(study, content="labelled", desirable_rows=40, undesirable_rows=120))
    text = sentences(labelled, comparison)
    assert "40 desirable and 120 undesirable answers to 155 prompts. Always guessing the commoner label" in text
    assert "right for 75 %" in text
    captions = [table["caption"] for table in data_section(labelled, comparison)["tables"]]
    assert captions == ["Rows", "Length of answers", "Languages in a sample of 160 training rows"]


def test_overlaps_and_label_balance_are_said(example: tuple[StudyResults, Comparison]) -> None:
    study, comparison = example
    assert study.traits is not None
    shared = {"overlaps": 2, "listed": ["own.jsonl:3 shares 13 words with the prompt of row ab"], "not_compared": []}
    weights = LabelWeights(method="kto", desirable=1, undesirable=1, published=(1, 4 / 3), source="KTO")
    changed_traits = study.traits.model_copy(
        update={
            "benchmarks": study.traits.benchmarks.model_copy(update=shared),
            "balances": [label_balance(weights, {True: 30, False: 40})],
        }
    )
    text = sentences(replace(study, traits=changed_traits), comparison)
    assert "2 share 13 words in a row with one (own.jsonl:3 shares 13 words with the prompt of row ab)." in text
    assert "on a hub" not in text
    assert "is 0.75 with 30 desirable and 40 undesirable rows, outside the published 1–1.33 (KTO)." in text


def test_a_rule_that_no_method_beats_is_said(example: tuple[StudyResults, Comparison]) -> None:
    study, comparison = example

    def with_rule(test: float) -> StudyResults:
        return ruled(study, BaselineAccuracy(rule="more emoji", heldout=0.6, test=test))

    def said(test: float) -> str | None:
        return unbeaten_rule(with_rule(test).traits, comparison)

    assert said(0.51) is None
    text = said(1.0)
    assert text is not None
    assert text.startswith("No method beats a rule that needs no model: “more emoji” picks the chosen answer of 100 %")
    assert text in sentences(with_rule(1.0), comparison)
    assert unbeaten_rule(None, comparison) is None


def test_nothing_to_report_is_said_too(example: tuple[StudyResults, Comparison]) -> None:
    study, comparison = example
    none = DuplicateRows(policy="drop", exact_rows=0, near_rows=0, listed=[])
    text = sentences(changed(study, duplicates=none, training_dropped={}), comparison)
    assert "No training row repeats another, not even nearly." in text
    assert "Of 168 training rows 160 were kept." in text


def test_without_an_audit_the_source_remains(example: tuple[StudyResults, Comparison]) -> None:
    study, comparison = example
    bare = data_section(StudyResults(study.directory, study.plan, study.runs), comparison)
    assert dict(bare["facts"])["name"] == "emoji-en"
    assert not any(bare[part] for part in ("sentences", "tables", "repeats", "audit"))


def test_figures_say_their_numbers(example: tuple[StudyResults, Comparison]) -> None:
    study, comparison = example
    audit, traits = study.audit, study.traits
    assert audit is not None
    assert traits is not None
    colours = method_colours(point.method for point in study.plan.points)
    assert "training, rejected 101 (61 to 252)" in length_figure(audit, True).description
    assert [rule.rule for rule in stronger_rules(traits)] == ["the longer answer", "more emoji"]
    figure = rule_figure(traits, comparison, colours)
    assert "the longer answer 99%" in figure.description
    assert "fewer emoji" not in figure.description


def test_an_audit_that_cannot_be_read_stops_no_report(tmp_path: Path) -> None:
    folder = build_study(tmp_path, Shape(methods=("dpo",), heldout=4, steps=3))
    (folder / "data" / "data.json").write_text("{}")
    assert read_study(folder).audit is None
