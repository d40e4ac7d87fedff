"""A tiny reward model that vLLM really serves, by the real job: it gives what transformers gives."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from prefsweep.environments import ensure, python_of
from prefsweep.plan import BASE, Plan
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Generation
from prefsweep.records.reward import RewardRecord
from prefsweep.reward_model import planned_reward_model
from prefsweep.settings import RewardModelConfig
from tests.e2e.trainer import told_by, write_tiny_model
from tests.example_study import Shape
from tests.faults.serving_jobs import attested_study
from tests.real_project import ROOT

TOLERANCE = 1e-4
"""Of a score in float32, where scores are about one apart; 4e-6 was the most that was found."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose runs have answered, and a reward model."""
    ensure(["train", "serve"], "cpu")
    directory = tmp_path_factory.mktemp("reward")
    write_tiny_model(directory / "rewarder", "--reward")
    study = attested_study(directory, Shape(methods=("dpo",), heldout=6, showcase=1))
    settings = RewardModelConfig(path=str(directory / "rewarder"), precision="float32")
    plan = Plan.read(study / "plan.json").model_copy(update={"reward_model": planned_reward_model(settings, ROOT)})
    plan.write(study / "plan.json")
    return study


@pytest.fixture(scope="module")
def scored(folder: Path) -> dict[str, RewardRecord]:
    """Method → what the real job left of its run. The first one starts the only server."""
    plan = Plan.read(folder / "plan.json")
    found = {}
    for run in (run.id for run in plan.runs):
        directory = folder / "runs" / run
        command = [str(python_of("serve", "cpu")), str(ROOT / "scripts" / "reward.py"), "--run", run]
        command += ["--plan", str(folder / "plan.json"), "--data", str(folder / "data")]
        command += ["--kept", str(folder.parent / ".rewarded"), "--output", str(directory)]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "2"})
        found[plan.point_of(run).method] = RewardRecord.read(directory / "reward.json")
    servers = list(folder.glob("runs/*/*/logs/reward-server.log"))
    assert len(servers) == 1
    return found


def test_scores_are_transformers_own_logits(folder: Path, scored: dict[str, RewardRecord], tmp_path: Path) -> None:
    prompts = [HeldOutPrompt.model_validate_json(line) for line in (folder / "data" / "heldout.jsonl").open()]
    pairs = [prompt for prompt in prompts if prompt.part == "heldout"]
    texts, scores = [], []
    for method, run in scored.items():
        (path,) = folder.glob(f"runs/{method}-*/*/generations.jsonl")
        answers = {one.prompt: one.answer for one in Generation.read_rows(path)}
        texts += [(prompt, answers[prompt.id]) for prompt in prompts]
        scores += [one.score for one in run.answers]
    texts += [(prompt, prompt.chosen or "") for prompt in pairs] + [(prompt, prompt.rejected or "") for prompt in pairs]
    scores += [one.score for one in (*scored[BASE].chosen, *scored[BASE].rejected)]
    turns = [[*prompt.messages, {"role": "assistant", "content": answer}] for prompt, answer in texts]
    (tmp_path / "conversations.json").write_text(json.dumps(turns))
    rewarder = str(folder.parent / "rewarder")
    expected = told_by("reward_logits.py", "logit ", rewarder, str(tmp_path / "conversations.json"))
    assert scores == pytest.approx(expected, abs=TOLERANCE)
    assert any(score < 0 or score > 1 for score in expected), "no activation gives that"
    assert len({round(score, 2) for score in expected}) > len(expected) / 2, "they can be told apart"
