"""A reward model's made-up scores of a made-up study: for tests, never for a report."""

import random
from collections.abc import Sequence
from pathlib import Path

from prefsweep.files import sha256_of
from prefsweep.plan import BASE, Plan
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.reward import RewardedAnswer, RewardRecord

_MEANS = {BASE: -1.0, "dpo": 2.0}
"""Method → mean score; the others' is the base's."""


def rewarded(prompt: str, score: float | None) -> RewardedAnswer:
    return RewardedAnswer(prompt=prompt, tokens=30, score=score)


def reward_record(plan: Plan, run: str, prompts: Sequence[HeldOutPrompt], directory: Path) -> RewardRecord:
    """Of the answers in the run's directory.

    A hard prompt is hard for all; of four pairs of the data the model prefers the preferred answer in three.
    """
    method, chance, ease = plan.point_of(run).method, random.Random(run), random.Random("prompts")
    mean = _MEANS.get(method, _MEANS[BASE])
    answers = [rewarded(one.id, mean + ease.gauss(0, 2) + chance.gauss(0, 0.5)) for one in prompts]
    pairs = [one.id for one in prompts if one.part == "heldout" and method == BASE]
    assert plan.reward_model is not None
    return RewardRecord(
        run=run,
        asked=plan.reward_model.asked,
        generations_sha256=sha256_of(directory / "generations.jsonl"),
        answers=answers,
        chosen=[rewarded(name, 1.0) for name in pairs],
        rejected=[rewarded(name, 2.0 if number % 4 == 0 else 0.0) for number, name in enumerate(pairs)],
        server_argv=["vllm", "serve"], server_environment={}, ready_seconds=60.0, scoring_seconds=2.0,
        versions={"python": "3.11.2", "vllm": "0.32.0"},
    )  # fmt: skip
