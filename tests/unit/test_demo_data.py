"""The demo's pairs keep what `data/README.md` says: style-only differences, and nothing held out leaks."""

import json
import re
from itertools import chain, pairwise
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import emoji
import pytest

FOLDER = Path(__file__).parents[2] / "data" / "emoji-en"
COUNTS = {"pairs": 144, "heldout": 60, "showcase": 8}
NGRAM = 13


class Row(NamedTuple):
    prompt: str
    chosen: str
    rejected: str


def objects(name: str) -> list[dict[str, Any]]:
    """Every line of a file as JSON; a blank or broken line is an error."""
    text = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def pairs(name: str) -> list[Row]:
    """The rows of a file of pairs, refusing any other shape."""
    rows = []
    for row in objects(name):
        assert set(row) == {"messages", "rejected_response"}
        user, assistant = row["messages"]
        assert (user["role"], assistant["role"]) == ("user", "assistant")
        rows.append(Row(user["content"], assistant["content"], row["rejected_response"]))
    return rows


def showcase() -> list[str]:
    """The prompts shown side by side, refusing rows with an answer."""
    rows = objects("showcase")
    assert all(set(row) == {"messages"} and len(row["messages"]) == 1 for row in rows)
    assert all(row["messages"][0]["role"] == "user" for row in rows)
    return [row["messages"][0]["content"] for row in rows]


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))


def ngrams(texts: list[str]) -> set[tuple[str, ...]]:
    """All runs of 13 words, the usual measure of contamination; shorter texts count whole."""
    tokens = [words(text) for text in texts]
    return {run[start : start + NGRAM] for run in tokens for start in range(max(1, len(run) - NGRAM + 1))}


def emoji_of(text: str) -> list[str]:
    return [match["emoji"] for match in emoji.emoji_list(text)]


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_each_file_has_the_stated_number_of_rows(name: str, count: int) -> None:
    assert len(objects(name)) == count


@pytest.mark.parametrize("name", ["pairs", "heldout"])
def test_only_the_chosen_answer_has_emoji(name: str) -> None:
    rows = pairs(name)
    assert [row.prompt for row in rows if not emoji_of(row.chosen)] == []
    assert [row.prompt for row in rows if emoji_of(row.rejected)] == []


@pytest.mark.parametrize("name", ["pairs", "heldout"])
def test_neither_answer_is_systematically_longer(name: str) -> None:
    rows = pairs(name)
    chosen, rejected = (mean(len(answer) for answer in answers) for answers in list(zip(*rows, strict=True))[1:])
    assert 0.9 <= chosen / rejected <= 1.15
    assert all(0.7 <= len(row.chosen) / len(row.rejected) <= 1.3 for row in rows)


def test_training_shows_many_emoji_in_many_places() -> None:
    answers = [row.chosen for row in pairs("pairs")]
    assert len(set(chain.from_iterable(map(emoji_of, answers)))) >= 80
    at_the_end = sum(emoji.emoji_list(answer)[-1]["match_end"] == len(answer) for answer in answers)
    at_the_start = sum(emoji.emoji_list(answer)[0]["match_start"] == 0 for answer in answers)
    assert at_the_end <= 0.75 * len(answers)
    assert at_the_start >= 0.1 * len(answers)


def test_training_never_shows_one_emoji_right_after_another() -> None:
    for row in pairs("pairs"):
        found = emoji.emoji_list(row.chosen)
        gaps = [row.chosen[a["match_end"] : b["match_start"]] for a, b in pairwise(found)]
        assert all(gap.strip() for gap in gaps), row.prompt


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_no_opening_gives_the_side_away(side: str) -> None:
    openings = [words(getattr(row, side))[:2] for row in pairs("pairs")]
    assert max(openings.count(opening) for opening in openings) <= 0.05 * len(openings)


def test_no_prompt_occurs_twice_in_any_file() -> None:
    prompts = [words(row.prompt) for row in pairs("pairs") + pairs("heldout")] + [words(p) for p in showcase()]
    assert len(set(prompts)) == len(prompts) == sum(COUNTS.values())


def test_training_shares_no_text_with_what_is_held_out() -> None:
    training = list(chain.from_iterable(pairs("pairs")))
    held_out = list(chain.from_iterable(pairs("heldout"))) + showcase()
    assert ngrams(training) & ngrams(held_out) == set()
