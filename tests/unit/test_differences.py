"""What is new in an answer and what is gone from it, word by word."""

import pytest

from prefsweep.differences import MOST_CHANGED, Difference, Reference

BASE = "Give it bright light. Water it when the soil feels dry, and turn the pot once a week."


def written(difference: Difference) -> str:
    """`{new}` and `[gone]`."""
    marks = {"kept": "{}", "new": "{{{}}}", "gone": "[{}]"}
    return "".join(marks[kind].format(text) for kind, text in difference.segments)


def without_the_gone(difference: Difference) -> str:
    return "".join(text for kind, text in difference.segments if kind != "gone")


def test_the_same_text_is_unchanged() -> None:
    assert Reference(BASE).against(BASE) == Difference(share=0.0, segments=(("kept", BASE),))


@pytest.mark.parametrize(
    ("base", "text", "marked"),
    [
        (BASE, BASE + " 🌿", BASE + " {🌿}"),
        (BASE, BASE.replace("bright", "very warm"), BASE.replace("bright", "[bright]{very warm}")),
        (BASE, BASE.replace(", and turn the pot", ""), BASE.replace(", and turn the pot ", " [, and turn the pot]")),
        ("建议先到医院就诊，多喝水。", "建议先到大医院就诊，多喝水。", "建议先到{大}医院就诊，多喝水。"),
        ("ضع الريحان في مكان مشمس واسقه", "ضع الريحان في مكان دافئ مشمس", "ضع الريحان في مكان [مشمس واسقه]{دافئ مشمس}"),
        ("one two three", "one  two\nthree", "one  two\nthree"),
        ("👩\u200d🔬 looks at it", "👨\u200d🔬 looks at it", "[👩\u200d🔬]{👨\u200d🔬} looks at it"),
    ],
)  # fmt: skip
def test_what_is_new_and_what_is_gone(base: str, text: str, marked: str) -> None:
    difference = Reference(base).against(text)
    assert written(difference) == marked
    assert without_the_gone(difference) == text


def test_words_that_agree_by_chance_are_not_kept() -> None:
    difference = Reference(BASE).against(BASE.replace("soil feels dry, and turn", "earth feels dusty: do turn"))
    assert "[soil feels dry, and]{earth feels dusty: do} turn the pot" in written(difference)


def test_another_answer_is_not_marked() -> None:
    difference = Reference(BASE).against("A walk after rain is best in the hills.")
    assert difference.share > MOST_CHANGED
    assert difference.segments == (("kept", "A walk after rain is best in the hills."),)


def test_the_share_counts_both_texts() -> None:
    half = "Give it bright light. Water it when the"
    assert Reference(half + " soil feels dry").against(half).share == pytest.approx(3 / (2 * 9 + 3))


@pytest.mark.parametrize(("base", "text"), [("", ""), ("", "x"), ("x", ""), ("🌿" * 900, "🌿" * 899), (" ", "\n")])
def test_empty_and_looping_texts(base: str, text: str) -> None:
    difference = Reference(base).against(text)
    assert 0 <= difference.share <= 1
    assert without_the_gone(difference) == text
