"""Answers side by side: the same prompts across the points, showcase prompts first, the base first."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from prefsweep.answer_card import JUDGE_SIGNS, SIGNS, answer_card, cut, language_tag
from prefsweep.comparison import Comparison, PointComparison
from prefsweep.differences import Reference
from prefsweep.leaderboard import ranked
from prefsweep.plan import BASE
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.judge import JudgedPair
from prefsweep.records.measure import Generation
from prefsweep.results import RunResults, StudyResults
from prefsweep.wording import count

MOST_ARMS = 24
MOST_BYTES = 1_200_000
"""Of prompts and answers together."""


@dataclass(frozen=True)
class Arm:
    """A point whose answers are shown, and the run they come from."""

    point: PointComparison
    run: RunResults
    shown: bool
    """Shown before the reader chooses: the base and the best point of each method."""
    answers: dict[str, Generation]
    metrics: dict[str, dict[str, float]]
    verdicts: dict[str, JudgedPair]


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
            shown.append((prompt.part, view | {"number": len(shown) + 1}))
    return {
        "arms": [{"method": a.point.method, "label": _label(a, comparison), "shown": a.shown} for a in arms],
        "prompts": len(shown),
        "groups": _groups(shown),
        "signs": SIGNS | (JUDGE_SIGNS if study.plan.judge else {}),
        "compared": any(arm.point.method == BASE for arm in arms) and len(arms) > 1,
        "note": _note(study, arms, len(shown)),
    }


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
                verdicts={pair.prompt: pair for pair in run.judged.pairs},
            )


def _label(arm: Arm, comparison: Comparison) -> str:
    several = len(comparison.point(arm.point.point).seeds_planned) > 1
    return f"{arm.point.label} · seed {arm.run.run.seed}" if several else arm.point.label


def _prompt(prompt: HeldOutPrompt, arms: list[Arm]) -> dict[str, Any]:
    answered = [(index, arm) for index, arm in enumerate(arms) if prompt.id in arm.answers]
    bases = [arm.answers[prompt.id].answer for _, arm in answered if arm.point.method == BASE]
    base = Reference(cut(bases[0])[0]) if bases else None
    return {
        "id": prompt.id,
        "messages": [{"role": turn["role"], "content": cut(turn["content"])[0]} for turn in prompt.messages],
        "language": language_tag(prompt.messages[-1]["content"]),
        "chosen": prompt.chosen and cut(prompt.chosen)[0],
        "rejected": prompt.rejected and cut(prompt.rejected)[0],
        "answers": [_answer(index, arm, prompt.id, base) for index, arm in answered],
    }


def _answer(index: int, arm: Arm, prompt: str, base: Reference | None) -> dict[str, Any]:
    compared = None if arm.point.method == BASE else base
    card = answer_card(arm.answers[prompt], arm.metrics.get(prompt, {}), arm.verdicts.get(prompt), compared)
    return {"arm": index, "method": arm.point.method, "label": arm.point.label, **card}


def _size(view: dict[str, Any]) -> int:
    texts = [turn["content"] for turn in view["messages"]]
    texts += [text for answer in view["answers"] for _, text in answer["segments"]]
    texts += [text for text in (view["chosen"], view["rejected"]) if text]
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def _groups(shown: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    showcase = [view for part, view in shown if part == "showcase"]
    heldout = [view for part, view in shown if part == "heldout"]
    groups = [
        {"title": "the study's own prompts", "folded": False, "prompts": showcase},
        {"title": count(len(heldout), "held-out prompt"), "folded": bool(showcase), "prompts": heldout},
    ]
    return [group for group in groups if group["prompts"]]


def _note(study: StudyResults, arms: list[Arm], prompts: int) -> str:
    generate = study.plan.generate
    decoding = "greedy decoding" if generate.temperature == 0 else f"temperature {generate.temperature:g}"
    note = f"At most {generate.max_tokens} tokens, {decoding}. Each point shows its first seed with answers."
    left = len(study.prompts) - prompts
    points = len({run.run.point for run in study.runs if run.answers}) - len(arms)
    if left or points:
        note += f" Left out for size: {count(left, 'prompt')} and {count(points, 'point')}."
    return note
