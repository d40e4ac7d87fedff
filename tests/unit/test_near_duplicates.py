"""Near duplicates: found against exact similarities, the same for any order, and never more work than texts."""

import random
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefsweep.near_duplicates import SHINGLE, SHORTEST, SIMILAR, groups, near

TEXT = """lantern harbour quiet engine willow copper seven garden thunder velvet river candle orbit meadow puzzle
marble whisper saddle forest ticket bridge pepper window glacier basket violin summer hammer island anchor"""
WORDS = TEXT.split()


def sentence(chance: random.Random, words: int = 14) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(words))


def similarity(left: str, right: str) -> float:
    """Jaccard's, by the definition."""
    a, b = ({text[i : i + SHINGLE] for i in range(len(text) - SHINGLE + 1)} for text in (left, right))
    return len(a & b) / len(a | b)


def edited(text: str, chance: random.Random, edits: int) -> str:
    letters = list(text)
    for _ in range(edits):
        letters[chance.randrange(len(letters))] = chance.choice("abcdefgh ")
    return "".join(letters)


def test_what_is_similar_is_found_and_nothing_else() -> None:
    chance = random.Random(1)
    originals = [sentence(chance) for _ in range(60)]
    texts = originals + [edited(text, chance, 1 + index % 3) for index, text in enumerate(originals)]
    found = groups(texts)
    together = {(i, j) for i, j in combinations(range(len(texts)), 2) if found[i] == found[j]}
    expected = {(i, j) for i, j in combinations(range(len(texts)), 2) if similarity(texts[i], texts[j]) >= SIMILAR}
    assert together == expected
    assert 20 < len(expected) < 60


@pytest.mark.parametrize(("changed", "together"), [(1, True), (10, True), (18, False), (40, False)])
def test_long_texts_are_told_apart_with_and_without_their_shingles(changed: int, together: bool) -> None:
    """Far from the threshold signatures decide, near it whole texts: both as the definition does."""
    chance = random.Random(7)
    for _ in range(20):
        text = "".join(chance.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(600))
        letters = list(text)
        for place in range(changed):
            letters[place * (len(text) // changed)] = "#"
        other = "".join(letters)
        assert (similarity(text, other) >= SIMILAR) is together
        assert (groups([text, other]) == [0, 0]) is together


def test_a_group_is_named_by_its_first_text() -> None:
    text = sentence(random.Random(2))
    assert groups([sentence(random.Random(3)), text, text + " too", "x", text + " too also"]) == [0, 1, 1, 3, 1]


def test_references_are_listed_up_to_one_more_than_asked() -> None:
    text = sentence(random.Random(4))
    references = [sentence(random.Random(5)), *(f"{text} {n}" for n in range(6))]
    assert near([text, "unlike " * 9], references, most=10) == {0: [1, 2, 3, 4, 5, 6]}
    assert len(near([text], references, most=2)[0]) == 3


@pytest.mark.parametrize("text", ["", "hi", "x" * (SHORTEST - 1)])
def test_short_texts_are_no_near_duplicates(text: str) -> None:
    assert groups([text, text]) == [0, 1]
    assert near([text], [text], most=1) == {}


def test_equal_texts_of_any_script_are_found() -> None:
    text = "我最近感觉口渴，腹部剧痛，头晕目眩，身上热汗如雨。" * 3 + "🌿👩\u200d🔬"
    assert groups([text, "y" * 60, text]) == [0, 1, 0]
    assert groups([]) == []


@settings(deadline=None)  # on a busy machine an example takes long
@given(st.randoms(use_true_random=False))
def test_which_texts_belong_together_does_not_depend_on_their_order(chance: random.Random) -> None:
    fixed = random.Random(6)
    originals = [sentence(fixed) for _ in range(5)]
    texts = [edited(text, fixed, copy) for text in originals for copy in range(3)]

    def partition(order: list[str]) -> set[frozenset[str]]:
        members: dict[int, set[str]] = {}
        for text, leader in zip(order, groups(order), strict=True):
            members.setdefault(leader, set()).add(text)
        return {frozenset(group) for group in members.values()}

    shuffled = texts.copy()
    chance.shuffle(shuffled)
    assert partition(shuffled) == partition(texts)
