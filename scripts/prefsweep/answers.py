"""Answers side by side: the same prompts across the points, showcase prompts first, the base first."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from prefsweep.comparison import Comparison, PointComparison
from prefsweep.leaderboard import ranked
from prefsweep.plan import BASE
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Generation
from prefsweep.results import RunResults, StudyResults

LONGEST_ANSWER = 4_000
"""Characters of an answer that the page shows; `samples.jsonl` beside it has all of them."""
MOST_ARMS = 24
MOST_BYTES = 1_200_000
"""Of prompts and answers together."""
REPEATS_FROM = 0.2
"""Share of repeated 4-grams from which an answer is marked."""


@dataclass(frozen=True)
class Arm:
    """A point whose answers are shown, and the run they come from."""

    point: PointComparison
    run: RunResults
    shown: bool
    """Shown before the reader chooses: the base and the best point of each method."""
    answers: dict[str, Generation]
    metrics: dict[str, dict[str, float]]


def side_by_side(study: StudyResults, comparison: Comparison) -> dict[str, Any]:
    """Arms, prompts in groups, a note on what is shown; as many held-out prompts as the page has room for."""
    arms = list(islice(_arms(study, comparison), MOST_ARMS))
    shown: list[tuple[str, dict[str, Any]]] = []
    room = MOST_BYTES
    for prompt in sorted(study.prompts, key=lambda prompt: prompt.part != "showcase"):
        view = _prompt(prompt, arms)
        room -= _size(view)
        if room < 0:
            break
        if view["answers"]:
            shown.append((prompt.part, view))
    return {
        "arms": [{"method": a.point.method, "label": _label(a, comparison), "shown": a.shown} for a in arms],
        "prompts": len(shown),
        "groups": _groups(shown),
        "note": _note(study, arms, len(shown)),
    }


def cut(text: str) -> tuple[str, str]:
    """A text at most `LONGEST_ANSWER` long, and a sentence about what is missing (empty when nothing is)."""
    if len(text) <= LONGEST_ANSWER + 1:
        return text, ""
    return text[:LONGEST_ANSWER] + "…", (
        f"The first {LONGEST_ANSWER:,} of {len(text):,} characters; samples.jsonl has all of them."
    )


def _arms(study: StudyResults, comparison: Comparison) -> Iterator[Arm]:
    """The base, the best point of each method, the others; each with its first run that has answers."""
    points = ranked(comparison)
    for point in sorted(points, key=lambda p: (p.method != BASE, not p.best_of_method)):
        run = next((run for run in study.of_point(point.point) if run.answers), None)
        if run is not None:
            yield Arm(
                point=point,
                run=run,
                shown=point.method == BASE or point.best_of_method,
                answers={generation.prompt: generation for generation in run.generations()},
                metrics=run.prompt_scores,
            )


def _label(arm: Arm, comparison: Comparison) -> str:
    several = len(comparison.point(arm.point.point).seeds_planned) > 1
    return f"{arm.point.label} · seed {arm.run.run.seed}" if several else arm.point.label


def _prompt(prompt: HeldOutPrompt, arms: list[Arm]) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "messages": [{"role": turn["role"], "content": cut(turn["content"])[0]} for turn in prompt.messages],
        "chosen": prompt.chosen and cut(prompt.chosen)[0],
        "rejected": prompt.rejected and cut(prompt.rejected)[0],
        "answers": [
            _answer(index, arm, arm.answers[prompt.id]) for index, arm in enumerate(arms) if prompt.id in arm.answers
        ],
    }


def _answer(index: int, arm: Arm, generation: Generation) -> dict[str, Any]:
    text, note = cut(generation.answer)
    return {
        "arm": index,
        "method": arm.point.method,
        "label": arm.point.label,
        "text": text,
        "cut": note,
        "chips": _chips(generation, arm.metrics.get(generation.prompt, {})),
    }


def _chips(generation: Generation, metrics: dict[str, float]) -> list[dict[str, Any]]:
    chips = [
        {"text": f"{metrics[name]:.0f} {unit}", "alarm": False}
        for name, unit in (("emoji", "emoji"), ("words", "words"))
        if name in metrics
    ]
    repetition = metrics.get("repetition", 0.0)
    if repetition > 0:
        chips.append({"text": f"{repetition:.0%} repeated", "alarm": repetition >= REPEATS_FROM})
    if generation.finish_reason == "length":
        chips.append({"text": "cut off at the token limit", "alarm": True})
    if not generation.answer.strip():
        chips.append({"text": "empty", "alarm": True})
    return chips


def _size(view: dict[str, Any]) -> int:
    texts = [turn["content"] for turn in view["messages"]] + [answer["text"] for answer in view["answers"]]
    texts += [text for text in (view["chosen"], view["rejected"]) if text]
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def _groups(shown: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    showcase = [view for part, view in shown if part == "showcase"]
    heldout = [view for part, view in shown if part == "heldout"]
    groups = [
        {"title": "the study's own prompts", "folded": False, "prompts": showcase},
        {"title": f"{len(heldout)} held-out prompts", "folded": bool(showcase), "prompts": heldout},
    ]
    return [group for group in groups if group["prompts"]]


def _note(study: StudyResults, arms: list[Arm], prompts: int) -> str:
    generate = study.plan.generate
    decoding = "greedy decoding" if generate.temperature == 0 else f"temperature {generate.temperature:g}"
    note = f"At most {generate.max_tokens} tokens, {decoding}. Each point shows its first seed with answers."
    left = len(study.prompts) - prompts
    points = len({run.run.point for run in study.runs if run.answers}) - len(arms)
    if left or points:
        note += f" Left out for size: {left} prompts and {points} points; samples.jsonl has every answer."
    return note
