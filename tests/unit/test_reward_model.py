"""A reward model's folder: what is refused before anything runs, and what decides its scores."""

from collections.abc import Callable
from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.planned_reward import PlannedRewardModel
from prefsweep.reward_model import check_reward_model, planned_reward_model, reward_costs
from prefsweep.settings import RewardModelConfig
from tests.model_fixtures import edit, write_reward_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_reward_model(tmp_path / "rewarder")


def planned(folder: Path, **more: str) -> PlannedRewardModel:
    settings = RewardModelConfig.model_validate({"path": str(folder), **more})
    found = planned_reward_model(settings, folder.parent)
    assert found is not None
    return found


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a language model": (
        lambda m: edit(m / "config.json", architectures=["LlamaForCausalLM"]),
        "not a reward model that gives a conversation one score .architectures: LlamaForCausalLM",
    ),
    "scores of tokens": (
        lambda m: edit(m / "config.json", architectures=["Qwen2ForRewardModel"]),
        "not a reward model .* Qwen2ForRewardModel",
    ),
    "two labels": (
        lambda m: edit(m / "config.json", id2label={"0": "bad", "1": "good"}),
        "a reward model has one label, this classifier 2",
    ),
    "labels nobody named": (
        lambda m: edit(m / "config.json", id2label=None),
        "a reward model has one label, this classifier 2",
    ),
    "code": (lambda m: (m / "modeling.py").write_text(""), "must not ship Python code"),
    "code by name": (lambda m: edit(m / "config.json", auto_map={}), "auto_map makes loading it execute code"),
    "pickles": (lambda m: (m / "model.safetensors").rename(m / "model.bin"), "pickled weights"),
    "no template": (lambda m: (m / "chat_template.jinja").unlink(), "has no chat template"),
    "no configuration": (lambda m: (m / "config.json").unlink(), "config.json: no such file"),
    "not there": (lambda m: m.rename(m.with_name("elsewhere")), "reward_model.path: .*rewarder: no such directory"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_reward_model_is_refused(folder: Path, fault: str) -> None:
    check_reward_model(folder)
    spoil, message = FAULTS[fault]
    spoil(folder)
    with pytest.raises(StageError, match=message) as caught:
        planned(folder)
    assert caught.value.failure == "model"
    assert "allow_code" not in caught.value.remedy, "there is no such key here"


def test_weights_and_precision_decide_scores_and_the_folders_place_does_not(folder: Path, tmp_path: Path) -> None:
    before = planned(folder)
    assert before.directory == "rewarder"
    assert before.folder(tmp_path) == folder
    moved = write_reward_model(tmp_path / "elsewhere" / "moved")
    assert planned(moved).asked == before.asked
    assert planned(folder, precision="float32").asked != before.asked
    edit(folder / "config.json", problem_type="regression")
    assert planned(folder).asked != before.asked


def test_what_it_takes_is_a_line_of_the_plan(folder: Path) -> None:
    assert reward_costs(None, 3, 100) == []
    assert reward_costs(planned(folder), 3, 1000) == ["reward model rewarder at rewarder: 3,000 answers to score"]
    assert "an unknown number of answers" in reward_costs(planned(folder), 3, None)[0]
