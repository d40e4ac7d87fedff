"""Rewards against the base, with log-probabilities that can be subtracted by hand."""

import math
from pathlib import Path

import pytest

from prefsweep.against_base import with_rewards
from prefsweep.comparison import compare
from prefsweep.plan import BASE
from prefsweep.records.score import PromptScores, Scores
from prefsweep.results import read_study
from prefsweep.score_table import ScoreTable
from tests.example_study import Shape, build_study


def _scores(run: str, **pairs: tuple[float, float]) -> ScoreTable:
    rows = [
        PromptScores(
            prompt=name, cluster=name, part="heldout", half="test",
            metrics={"chosen_log_prob": chosen, "rejected_log_prob": rejected},
        )
        for name, (chosen, rejected) in pairs.items()
    ]  # fmt: skip
    return ScoreTable.of(Scores(run=run, prompts=rows))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_study(tmp_path_factory.mktemp("study"), Shape(methods=("dpo",), seeds=(0, 1), heldout=12))


def test_a_reward_is_what_an_answer_gained(folder: Path) -> None:
    plan = read_study(folder).plan
    scores = {
        "base-00000000/seed-0": _scores("base-00000000/seed-0", a=(-10, -12), b=(-10, -12), c=(-10, -12)),
        "dpo-00000000/seed-0": _scores("dpo-00000000/seed-0", a=(-9, -15), b=(-20, -21), c=(-11, -13)),
        "dpo-00000000/seed-1": _scores("dpo-00000000/seed-1", a=(-8, -12), z=(-1, -1)),
    }
    found = {name: list(run.by_prompt().values()) for name, run in with_rewards(plan, scores).items()}
    # a: +1 and −3; b: −10 and −9, though the chosen answer stays the likelier one; c: −1 and −1, a tie
    assert [row["reward_margin"] for row in found["dpo-00000000/seed-0"]] == [4, -1, 0]
    assert [row["reward_accuracy"] for row in found["dpo-00000000/seed-0"]] == [1, 0, 0.5]
    assert [row.get("reward_margin") for row in found["dpo-00000000/seed-1"]] == [2, None]
    assert [row["reward_accuracy"] for row in found["base-00000000/seed-0"]] == [0.5, 0.5, 0.5]


def test_a_base_of_several_seeds_is_matched(folder: Path) -> None:
    plan = read_study(folder).plan
    both = [run.model_copy(update={"id": f"base-00000000/seed-{seed}", "seed": seed}) for seed, run in
            enumerate([plan.runs[0], plan.runs[0]])]  # fmt: skip
    plan = plan.model_copy(update={"runs": [*both, *plan.runs[1:]]})
    names = ("base-00000000/seed-0", "base-00000000/seed-1", "dpo-00000000/seed-0", "dpo-00000000/seed-1")
    scores = {name: _scores(name, a=(-float(place), 0)) for place, name in enumerate(names)}
    found = with_rewards(plan, scores)
    assert found["dpo-00000000/seed-0"].by_prompt()["a"]["reward_margin"] == -2
    assert found["dpo-00000000/seed-1"].by_prompt()["a"]["reward_margin"] == -2
    del scores["base-00000000/seed-1"]
    assert "reward_margin" not in with_rewards(plan, scores)["dpo-00000000/seed-1"].by_prompt()["a"]


def test_without_a_base_there_are_no_rewards(folder: Path) -> None:
    scores = {"dpo-00000000/seed-0": _scores("dpo-00000000/seed-0", a=(-1, -2))}
    assert with_rewards(read_study(folder).plan, scores) == scores


def test_the_mean_reward_margin_is_the_difference_of_the_preference_margins(folder: Path) -> None:
    study = read_study(folder)
    scores = {run.run.id: run.scores for run in study.runs if run.scores}
    comparison = compare(study.plan, scores, [], {})
    base = next(point for point in comparison.points if point.method == BASE)
    point = next(point for point in comparison.points if point.method != BASE)
    margin = point.metrics["preference_margin"].difference
    assert margin is not None
    assert math.isclose(point.metrics["reward_margin"].mean.estimate, margin.estimate)
    assert math.isclose(point.metrics["reward_margin"].mean.standard_error, margin.standard_error)
    assert base.metrics["reward_margin"].mean.estimate == 0
    accuracy = base.metrics["reward_accuracy"].mean
    assert (accuracy.low, accuracy.estimate, accuracy.high) == (0.5, 0.5, 0.5), "by definition, not by counting"
    assert not any("reward" in notice for notice in comparison.notices)
