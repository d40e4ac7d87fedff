"""Answers side by side: who is shown, what is marked, by what a reader finds them."""

from pathlib import Path
from typing import Any

import pytest

from compare import compared
from prefsweep import answers
from prefsweep.answer_card import FOLDED_CHARACTERS, JUDGE_SIGNS, SIGNS, answer_card
from prefsweep.answers import side_by_side
from prefsweep.differences import Reference
from prefsweep.records.judge import Ballot, Choice, JudgedPair
from prefsweep.records.measure import Generation
from prefsweep.results import StudyResults, read_study
from tests.example_study import Shape, build_study

TEXT = "Give it bright light and water it when the soil feels dry."


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    shape = Shape(methods=("dpo", "cpo"), variants=2, seeds=(0, 1), heldout=6, showcase=2, steps=4)
    return read_study(build_study(tmp_path_factory.mktemp("study"), shape))


def answer(text: str = TEXT, finish_reason: str = "stop") -> Generation:
    return Generation(
        prompt="h0000", part="heldout", answer=text, finish_reason=finish_reason, prompt_tokens=9, output_tokens=12,
        seconds=1.0,
    )  # fmt: skip


def judged(arm_first: Choice, opponent_first: Choice) -> JudgedPair:
    first, second = (
        Ballot(choice=choice, reply="", requests=1, input_tokens=1, output_tokens=1)
        for choice in (arm_first, opponent_first)
    )
    return JudgedPair(prompt="h0000", arm_first=first, opponent_first=second)


def chips(card: dict[str, Any]) -> list[str]:
    return [chip["text"] for chip in card["chips"]]


def test_the_base_comes_first_and_the_best_points_are_shown_at_once(study: StudyResults) -> None:
    shown = side_by_side(study, compared(study))
    assert shown["arms"][0]["method"] == "base"
    assert [arm["shown"] for arm in shown["arms"]] == [True, True, True, False, False]
    assert {arm["method"] for arm in shown["arms"] if arm["shown"]} == {"base", "dpo", "cpo"}
    assert all(arm["label"].endswith("· seed 0") for arm in shown["arms"][1:])


def test_showcase_prompts_come_first_and_numbers_go_on(study: StudyResults) -> None:
    own, heldout = side_by_side(study, compared(study))["groups"]
    assert [prompt["id"] for prompt in own["prompts"]] == ["s0000", "s0001"]
    assert (own["folded"], heldout["folded"]) == (False, True)
    assert [prompt["number"] for prompt in heldout["prompts"]] == [3, 4, 5, 6, 7, 8]


def test_each_answer_is_compared_with_the_bases(study: StudyResults) -> None:
    shown = side_by_side(study, compared(study))
    assert shown["compared"]
    for prompt in shown["groups"][0]["prompts"]:
        base, *others = prompt["answers"]
        assert base["changed"] is None
        text = "".join(text for _, text in base["segments"])
        for other in others:
            written = "".join(text for kind, text in other["segments"] if kind != "gone")
            assert other["changed"] == round(Reference(text).against(written).share, 3)


def test_without_the_bases_answers_nothing_is_marked(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo",), heldout=2, showcase=1, steps=4, unfinished=("base",))
    study = read_study(build_study(tmp_path, shape))
    shown = side_by_side(study, compared(study))
    assert not shown["compared"]
    (only,) = shown["groups"][0]["prompts"][0]["answers"]
    assert (only["changed"], [kind for kind, _ in only["segments"]]) == (None, ["kept"])


def test_what_does_not_fit_is_said(study: StudyResults, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Left out" not in side_by_side(study, compared(study))["note"]
    monkeypatch.setattr(answers, "MOST_BYTES", 2_500)
    monkeypatch.setattr(answers, "MOST_ARMS", 4)
    shown = side_by_side(study, compared(study))
    assert 0 < shown["prompts"] < 8
    assert f"Left out for size: {8 - shown['prompts']} prompts and 1 point." in shown["note"]


@pytest.mark.parametrize(
    ("text", "finish", "metrics", "signs"),
    [
        (TEXT, "stop", {"repetition": 0.1, "refusal": 0.0, "same_language": 1.0}, ""),
        (TEXT, "stop", {"repetition": 0.3}, "repeats"),
        (TEXT, "stop", {"refusal": 1.0}, "refusal"),
        (TEXT, "length", {}, "truncated"),
        (" \n", "stop", {}, "empty"),
        (TEXT, "stop", {"same_language": 0.0}, "language"),
    ],
)
def test_what_an_answer_is_found_by(text: str, finish: str, metrics: dict[str, float], signs: str) -> None:
    card = answer_card(answer(text, finish), metrics, None, None)
    assert card["signs"] == signs
    assert set(signs.split()) <= SIGNS.keys()


@pytest.mark.parametrize(
    ("verdict", "sign"),
    [
        (judged("first", "second"), "win"),
        (judged("second", "first"), "loss"),
        (judged("first", "first"), "torn"),
        (judged("tie", "second"), "torn"),
        (judged("tie", "tie"), ""),
        (JudgedPair(prompt="h0000", arm_first=None, opponent_first=None), ""),
    ],
)
def test_what_the_judge_said(verdict: JudgedPair, sign: str) -> None:
    card = answer_card(answer(), {}, verdict, None)
    assert card["signs"] == sign
    assert not sign or sign in JUDGE_SIGNS
    assert any(chip.startswith("judge: ") for chip in chips(card)) == bool(sign)


def test_chips_tell_how_much_changed() -> None:
    base = Reference(TEXT)
    assert chips(answer_card(answer(), {"emoji": 0, "words": 12}, None, base)) == [
        "0 emoji", "12 words", "the base's words",
    ]  # fmt: skip
    assert chips(answer_card(answer(TEXT + " 🌿"), {}, None, base)) == ["4% changed"]
    assert chips(answer_card(answer("No."), {}, None, base)) == ["87% changed, not marked"]


def test_long_answers_are_folded_and_carry_their_language() -> None:
    long = answer_card(answer(TEXT * (1 + FOLDED_CHARACTERS // len(TEXT))), {}, None, None)
    short = answer_card(answer(), {}, None, None)
    assert (long["folded"], short["folded"]) == (True, False)
    assert (short["language"], answer_card(answer("🌿"), {}, None, None)["language"]) == ("en", "")
