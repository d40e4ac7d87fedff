"""Write the items of the reasoning tasks, data/tasks/reasoning-*.jsonl, from seeded generators of reasoning-gym.

Run by hand, in an environment of its own: `uv run --with reasoning-gym==0.1.25 scripts/reasoning_items.py`. Every
answer must satisfy its generator's verifier, and every wrong choice must not.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reasoning_gym import create_dataset

FOLDER = Path(__file__).resolve().parent.parent / "data" / "tasks"
SEED = 0
WRONG_CHOICES = 3

Entry = dict[str, Any]


@dataclass(frozen=True)
class Family:
    """One kind of item: the generator's settings, how its question is asked, and what a wrong answer may look like."""

    generator: str
    items: int
    ask: Callable[[str], str]
    wrong: Callable[[Entry, random.Random], str] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    fits: str = ".*"
    """What an answer must look like: the generator's text has headings and quotations cut in half."""


def near_count(entry: Entry, chance: random.Random) -> str:
    """Another count nearby."""
    return str(abs(int(entry["answer"]) + chance.choice([-3, -2, -1, 1, 2, 3])))


def shuffled_words(entry: Entry, chance: random.Random) -> str:
    """The same words in another order."""
    words = entry["answer"].split()
    return " ".join(chance.sample(words, len(words)))


def sum_asked(question: str) -> str:
    return f"What is {question.partition(': ')[2].removesuffix(' =')}?"


def as_it_is(question: str) -> str:
    return " ".join(question.split())


SUMS = {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}
DIVISORS = {"min_numbers": 2, "max_numbers": 2, "min_value": 2, "max_value": 60}
LETTERS = {"min_words": 3, "max_words": 6}
SENTENCES = {"min_words_in_sentence": 4, "max_words_in_sentence": 9}
CHOICES = [
    Family("sentence_reordering", 20, as_it_is, shuffled_words, SENTENCES, fits=r"[A-Z][A-Za-z ,'-]+[.!?]"),
    Family("letter_counting", 10, as_it_is, near_count, LETTERS),
    Family("gcd", 10, as_it_is, near_count, DIVISORS),
]
ANSWERS = [
    Family("chain_sum", 16, sum_asked, settings=SUMS),
    Family("gcd", 8, as_it_is, settings=DIVISORS),
]


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, families in (("choices", CHOICES), ("answers", ANSWERS)):
        rows = [row for family in families for row in items(family)]
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (FOLDER / f"reasoning-{name}.jsonl").write_text("".join(lines), encoding="utf-8")


def items(family: Family) -> list[dict[str, Any]]:
    """A family's rows, each with an id of its own; a question with the words of another is passed over."""
    dataset = create_dataset(family.generator, size=8 * family.items, seed=SEED, **family.settings)
    chance = random.Random(SEED)
    rows: dict[str, dict[str, Any]] = {}
    for entry in dataset:
        question = family.ask(entry["question"])
        words = " ".join(sorted(question.split()))
        if len(rows) < family.items and words not in rows and re.fullmatch(family.fits, str(entry["answer"])):
            rows[words] = {"family": family.generator, "question": question, **answers(family, dataset, entry, chance)}
    if len(rows) < family.items:
        raise ValueError(f"{family.generator} has {len(rows)} different items of {family.items}")
    return [{"id": f"{family.generator}-{number}", **row} for number, row in enumerate(rows.values())]


def answers(family: Family, dataset: Any, entry: Entry, chance: random.Random) -> dict[str, Any]:
    """The answer, and for a family with wrong ones the choices in random order with the answer's place."""
    answer = str(entry["answer"])
    if dataset.score_answer(answer, entry) != 1:
        raise ValueError(f"{family.generator}: {answer!r} does not satisfy its verifier")
    if family.wrong is None:
        return {"answer": answer}
    choices = {answer}
    while len(choices) <= WRONG_CHOICES:
        wrong = family.wrong(entry, chance)
        if dataset.score_answer(wrong, entry) != 1:
            choices.add(wrong)
    ordered = chance.sample(sorted(choices), len(choices))
    return {"choices": ordered, "answer": ordered.index(answer)}


if __name__ == "__main__":
    main()
