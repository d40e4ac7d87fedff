"""A study with a reward model: what is scored when, what an edit scores again, and what one that fails costs."""

import re

import pandas
import pytest

from tests.model_fixtures import edit, write_reward_model
from tests.workflow.conftest import Project

REPORT = {"compare": 1, "attest": 1}
REWARDED = {"reward": 6} | REPORT


@pytest.fixture
def rewarded(project: Project) -> Project:
    """The finished study, with a reward model from now on."""
    write_reward_model(project.directory / "rewarder")
    project.edit("study.yaml", "device: cpu", "device: cpu\nevaluate: {reward_model: {path: rewarder}}")
    return project


def test_a_reward_model_is_added_to_a_finished_study(rewarded: Project) -> None:
    assert rewarded.jobs() == REWARDED
    assert "reward model rewarder at rewarder: 360 answers to score" in rewarded.snakemake("plan").stdout
    outcome = rewarded.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    points = pandas.read_csv(rewarded.study / "report" / "comparison.csv")
    assert points["reward_model_score_estimate"].count() == 6
    assert points["reward_model_win_rate_estimate"][0] == 0.5
    assert '<section id="reward"' in (rewarded.study / "report" / "index.html").read_text()
    assert rewarded.jobs() == {}
    assert rewarded.snakemake("verify").returncode == 0

    (rewarded.directory / "rewarder").rename(rewarded.directory / "moved")
    rewarded.edit("study.yaml", "{path: rewarder}", "{path: moved}")
    assert rewarded.jobs() == REPORT, "the plan is on the page; no score depends on where the model is"
    edit(rewarded.directory / "moved" / "config.json", hidden_size=64)
    assert rewarded.jobs() == REWARDED
    edit(rewarded.directory / "moved" / "config.json", id2label={"0": "bad", "1": "good"})
    refused = rewarded.snakemake()
    assert refused.returncode != 0
    assert "nothing was started" in refused.stdout
    assert "a reward model has one label, this classifier 2" in refused.stdout


def test_one_that_fails_costs_its_run_its_rewards_and_nothing_else(rewarded: Project) -> None:
    assert rewarded.snakemake(STUB_UNREWARDED="kto").returncode != 0
    runs = pandas.read_csv(rewarded.study / "report" / "runs.csv").set_index("method")
    assert set(runs["status"]) == {"finished"}
    assert list(runs.index[runs["reward_model_score_test_mean"].isna()]) == ["kto"]
    points = pandas.read_csv(rewarded.study / "report" / "comparison.csv").set_index("method")
    assert points["difference_to_base"].count() == 5
    assert "server_crash: the server ended with status 1" in points["reward_model_failures"]["kto"]
    assert "was not scored" in (rewarded.study / "report" / "index.html").read_text()
    assert rewarded.jobs() == {"reward": 1} | REPORT


def test_a_run_that_failed_keeps_no_other_from_its_score_and_all_are_measured_before(rewarded: Project) -> None:
    """So that one start of a server does for all: of models, of the reward model, of a judge that the study serves."""
    rewarded.edit("study.yaml", "device: cpu", "device: cpu\nseeds: [7, 8]")
    judge = "{serve: {path: base-model, model_type: llama, template: chatml}}"
    rewarded.edit("study.yaml", "{path: rewarder}", f"{{path: rewarder}}, judge: {judge}")
    outcome = rewarded.snakemake(STUB_FAIL="orpo")
    assert outcome.returncode != 0
    told = re.findall(r"^(?:Job \d+: )?(merge|measure|reward|judge) (\w+)-", outcome.stdout, flags=re.MULTILINE)
    stages = [stage for stage, _ in told]
    assert stages.count("reward") == stages.count("measure") > 6
    assert "measure" not in stages[min(stages.index("reward"), stages.index("judge")) :]
    assert "merge" not in stages[stages.index("measure") :]
    assert len(list(rewarded.study.glob("runs/*/*/logs/judge-server.log"))) == 1
    assert {method for stage, method in told if stage == "reward"} == {"base", "dpo", "simpo", "kto", "cpo"}
