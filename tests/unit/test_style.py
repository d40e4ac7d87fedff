"""How an answer reads, in numbers that can be counted by hand."""

import pytest

from prefsweep.languages import UNDETERMINED, language
from prefsweep.style import emoji_count, repetition, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words, 123 and © ™", 0),
        ("Water helps! 💧😊", 2),
        ("a family 👨‍👩‍👧‍👦 is one", 1),
        ("a flag 🇨🇳 is one", 1),
        ("a skin tone 👍🏽 and a heart ❤️", 2),
        ("a keycap 1️⃣", 1),
        ("🎉" * 9, 9),
        ("", 0),
    ],
)
def test_emoji_are_counted_as_a_reader_sees_them(text: str, expected: int) -> None:
    assert emoji_count(text) == expected


def test_han_characters_are_words_of_their_own() -> None:
    assert words("我口渴, drink WATER 💧!") == ["我", "口", "渴", "drink", "water"]


def test_a_word_keeps_its_apostrophe_and_hyphen() -> None:
    assert words("Don't over-cook it.") == ["don't", "over-cook", "it"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two three", 0.0),
        ("one two three four five", 0.0),
        ("a b c d a b c d", 1 - 4 / 5),
        ("喝水喝水喝水喝水", 1 - 2 / 5),
        ("🎉" * 9, 1 - 1 / 6),
        ("", 0.0),
    ],
)
def test_repetition_is_one_minus_distinct_over_all_four_grams(text: str, expected: float) -> None:
    assert repetition(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Oh, what a cozy plan! Grab a warm blanket and cocoa. ☕️", "en"),
        ("多喝水，早点休息，别太累了。", "zh"),
        ("Une bonne idée : prends un thé et repose-toi un peu.", "fr"),
        ("😀😀😀", UNDETERMINED),
        ("OK 123", UNDETERMINED),
        ("", UNDETERMINED),
    ],
)
def test_language_is_named_only_when_the_text_tells(text: str, expected: str) -> None:
    assert language(text) == expected
