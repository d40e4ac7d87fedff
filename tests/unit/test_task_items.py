"""The documents of the tasks that come with the project: every answer is right, every other choice is wrong."""

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from prefsweep.tasks import is_elsewhere, task_documents

ROOT = Path(__file__).resolve().parents[2]
TASKS = ("general-perplexity", "reasoning-choices", "reasoning-answers")


def rows(name: str) -> list[dict[str, Any]]:
    (file,) = task_documents(ROOT / "config" / "tasks" / f"{name}.yaml", ROOT)
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def solved(family: str, question: str) -> str:
    """Worked out anew from the question's words, without the generator."""
    if family == "chain_sum":
        first, sign, second = re.fullmatch(r"What is (-?\d+) ([+-]) (-?\d+)\?", question).groups()  # type: ignore[union-attr]
        return str(int(first) + int(second) * (1 if sign == "+" else -1))
    if family == "gcd":
        numbers = re.findall(r"\d+", question)
        return str(math.gcd(*map(int, numbers)))
    letter, text = re.search(r'letter "(.)" appear in the text: "(.*)"', question).groups()  # type: ignore[union-attr]
    return str(text.lower().count(letter))


@pytest.mark.parametrize("row", rows("reasoning-choices") + rows("reasoning-answers"), ids=lambda row: row["id"])
def test_one_answer_is_right(row: dict[str, Any]) -> None:
    if row["family"] == "sentence_reordering":  # that the order is right only its generator's verifier can tell
        words = sorted(row["question"].rpartition("sentence: ")[2].split())
        assert all(sorted(choice.split()) == words for choice in row["choices"])
        assert len(set(row["choices"])) == 4
        return
    answer = solved(row["family"], row["question"])
    if "choices" not in row:
        assert row["answer"] == answer
        return
    assert len(set(row["choices"])) == 4
    assert [place for place, choice in enumerate(row["choices"]) if choice == answer] == [row["answer"]]


def test_no_place_gives_the_answer_away() -> None:
    places = Counter(row["answer"] for row in rows("reasoning-choices"))
    assert set(places) == {0, 1, 2, 3}
    assert max(places.values()) < 0.4 * sum(places.values())


@pytest.mark.parametrize("name", TASKS)
def test_documents_are_distinct_and_on_this_machine(name: str) -> None:
    assert not is_elsewhere(str(ROOT / "config" / "tasks" / f"{name}.yaml"))
    found = rows(name)
    assert len({row["id"] for row in found}) == len(found)
    assert len({row.get("text", row.get("question")) for row in found}) == len(found)


def test_prose_is_in_both_languages() -> None:
    assert Counter(row["language"] for row in rows("general-perplexity")) == {"en": 15, "zh": 9}
