"""Rules without a model: each counts what it says, and the majority learns its directions from training."""

import pytest

from prefsweep.baselines import MAJORITY, baseline_accuracies, emoji, likeness, markup
from prefsweep.records.data import HeldOutPrompt, Pair


def pair(name: str, prompt: str, chosen: str, rejected: str) -> Pair:
    messages = [{"role": "user", "content": prompt}]
    return Pair(id=name, cluster=name, messages=messages, chosen=chosen, rejected=rejected)


def heldout(pairs: list[Pair]) -> list[HeldOutPrompt]:
    return [HeldOutPrompt(part="heldout", half="test", **vars(row)) for row in pairs]


PAIRS = [
    pair("a", "water the basil", "Water the basil daily 🌿", "Once."),
    pair("b", "buy bread", "Buy bread.", "# Go\n- to the shop\n- and **buy** some"),
    pair("c", "sing", "la", "la la 🎵"),
    pair("d", "rest", "Do rest", "So rest"),
]


def test_rules_and_their_opposites_and_the_best_first() -> None:
    found = baseline_accuracies(PAIRS, heldout(PAIRS), {"a", "b"})
    accuracy = {rule.rule: (rule.heldout, rule.test) for rule in found}
    assert accuracy["the longer answer"] == ((1 + 0 + 0 + 0.5) / 4, 0.5)
    assert accuracy["the shorter answer"] == ((0 + 1 + 1 + 0.5) / 4, 0.5)
    assert accuracy["more emoji"] == ((1 + 0.5 + 0 + 0.5) / 4, 0.75)
    assert accuracy["less markup"] == ((0.5 + 1 + 0.5 + 0.5) / 4, 0.75)
    assert accuracy["more like the prompt"] == ((1 + 1 + 0.5 + 0.5) / 4, 1.0)
    assert [rule.heldout for rule in found] == sorted((rule.heldout for rule in found), reverse=True)


def test_the_majority_votes_as_it_learnt_in_training() -> None:
    longer = [pair(str(n), "x", "a long one 🌿", "short") for n in range(3)]
    shorter = [pair(str(n), "x", "short", "a long one 🌿") for n in range(3)]
    found = {rule.rule: rule.heldout for rule in baseline_accuracies(longer, heldout(shorter), {"0"})}
    assert found[MAJORITY] == 0.0
    assert {rule.rule: rule.heldout for rule in baseline_accuracies(longer, heldout(longer), {"0"})}[MAJORITY] == 1.0


def test_rows_that_are_no_pairs_have_no_rules() -> None:
    single = heldout(PAIRS)[0].model_copy(update={"rejected": None})
    assert baseline_accuracies(PAIRS, [single], {"a"}) == []


def test_without_training_pairs_there_is_no_majority() -> None:
    assert MAJORITY not in {rule.rule for rule in baseline_accuracies([], heldout(PAIRS), {"a"})}


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ("plain words - and a dash, 3.5 and 2*3*4", 0),
        ("# Title\n\n1. one\n2) two\n* three\n> quoted", 5),
        ("**bold** and `code` and [link](x)", 3),
        ("| a | b |\n```\nx\n```", 3),
        ("<b>x</b> 1 < 2", 2),
    ],
)
def test_markup_counts_marks_of_formatting(answer: str, count: int) -> None:
    assert markup("", answer) == count


def test_emoji_and_likeness() -> None:
    assert (emoji("", "plain"), emoji("", "👩\u200d🔬 and 🇫🇷 1️⃣ ©")) == (0, 3)
    assert likeness("buy bread", "Bread: buy it!") == pytest.approx(2 / 3)
    assert likeness("", "") == 0
