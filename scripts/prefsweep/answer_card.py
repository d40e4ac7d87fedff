"""One answer on the page: its text, marked where it differs from the base's, and what is notable about it."""

from collections.abc import Iterator
from typing import Any

from prefsweep.differences import MOST_CHANGED, Difference, Reference
from prefsweep.languages import UNDETERMINED, language
from prefsweep.records.judge import JudgedPair
from prefsweep.records.measure import Generation

LONGEST_ANSWER = 4_000
"""Characters of an answer that the page shows; `samples.jsonl` beside it has all of them."""
REPEATS_FROM = 0.2
"""Share of repeated 4-grams from which an answer is marked."""
FOLDED_CHARACTERS = 900
FOLDED_LINES = 14
"""A longer answer is folded, so that those beside it stay in view."""

SIGNS = {
    "repeats": "repeats itself",
    "refusal": "declines to answer",
    "truncated": "was cut off at the token limit",
    "empty": "is empty",
    "language": "is in another language",
}
JUDGE_SIGNS = {
    "loss": "lost to the base's, says the judge",
    "win": "won against the base's, says the judge",
    "torn": "divided the judge's two orders",
}
"""What an answer can be looked up by, each as the end of a sentence about it."""

Chip = dict[str, Any]


def cut(text: str) -> tuple[str, str]:
    """A text at most `LONGEST_ANSWER` long, and a sentence about what is missing (empty when nothing is)."""
    if len(text) <= LONGEST_ANSWER + 1:
        return text, ""
    return text[:LONGEST_ANSWER] + "…", (
        f"The first {LONGEST_ANSWER:,} of {len(text):,} characters; samples.jsonl has all of them."
    )


def language_tag(text: str) -> str:
    """For `lang`, by which readers choose a voice and a font; empty where the language is unknown."""
    found = language(text)
    return "" if found == UNDETERMINED else found


def answer_card(
    generation: Generation, metrics: dict[str, float], verdict: JudgedPair | None, base: Reference | None
) -> dict[str, Any]:
    """An answer as the template takes it. `base` has the base's answer, as far as the page shows it; None: no base."""
    text, note = cut(generation.answer)
    difference = base.against(text) if base else None
    signs = list(_signs(generation, metrics, verdict))
    return {
        "segments": difference.segments if difference else (("kept", text),),
        "language": language_tag(text),
        "cut": note,
        "folded": len(text) > FOLDED_CHARACTERS or text.count("\n") >= FOLDED_LINES,
        "characters": len(generation.answer),
        "changed": None if difference is None else round(difference.share, 3),
        "repeated": round(metrics.get("repetition", 0.0), 3),
        "signs": " ".join(signs),
        "chips": [*_measures(metrics, difference), *_notable(metrics, signs)],
    }


def _signs(generation: Generation, metrics: dict[str, float], verdict: JudgedPair | None) -> Iterator[str]:
    if metrics.get("repetition", 0.0) >= REPEATS_FROM:
        yield "repeats"
    if metrics.get("refusal"):
        yield "refusal"
    if generation.finish_reason == "length":
        yield "truncated"
    if not generation.answer.strip():
        yield "empty"
    if metrics.get("same_language") == 0:
        yield "language"
    if verdict and verdict.outcome in ("win", "loss"):
        yield verdict.outcome
    if verdict and verdict.outcome == "tie" and _torn(verdict):
        yield "torn"


def _torn(verdict: JudgedPair) -> bool:
    """A tie because the two orders disagree, not because the judge, or both, saw none better."""
    return any(ballot.choice != "tie" for ballot in verdict.ballots)


def _measures(metrics: dict[str, float], difference: Difference | None) -> Iterator[Chip]:
    for name, unit in (("emoji", "emoji"), ("words", "words")):
        if name in metrics:
            yield _chip(f"{metrics[name]:.0f} {unit}")
    if difference is not None:
        unmarked = ", not marked" if difference.share > MOST_CHANGED else ""
        yield _chip(f"{difference.share:.0%} changed{unmarked}" if difference.share else "the base's words")


def _notable(metrics: dict[str, float], signs: list[str]) -> Iterator[Chip]:
    repetition = metrics.get("repetition", 0.0)
    if repetition > 0:
        yield _chip(f"{repetition:.0%} repeated", alarm="repeats" in signs)
    texts = {
        "refusal": "declines to answer",
        "truncated": "cut off at the token limit",
        "empty": "empty",
        "language": "another language",
        "loss": "judge: the base's is better",
        "win": "judge: better than the base's",
        "torn": "judge: depends on the order",
    }
    for sign in signs:
        if sign in texts:
            yield _chip(texts[sign], alarm=sign in ("truncated", "empty", "language"))


def _chip(text: str, *, alarm: bool = False) -> Chip:
    return {"text": text, "alarm": alarm}
