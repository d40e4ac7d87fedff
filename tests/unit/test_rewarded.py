"""A reward model's scores in a study: joined, compared like any metric, in the tables and on the page."""

import json
import re
from pathlib import Path

import pytest

from attest import write_attestation
from prefsweep.attestation import CRATE
from prefsweep.comparison import Comparison, compared
from prefsweep.failures import Failure
from prefsweep.metrics import REWARD_MODEL_SCORE
from prefsweep.page import render_page
from prefsweep.plan import BASE, Plan, run_directory
from prefsweep.planned_reward import PlannedRewardModel
from prefsweep.point_table import comparison_table
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.reward import RewardRecord
from prefsweep.results import StudyResults, read_study
from prefsweep.reward_summary import agreement_with_data, reward_columns
from prefsweep.run_table import runs_table
from prefsweep.settings import RewardModelConfig
from tests.example_rewards import reward_record, rewarded
from tests.example_study import Shape, build_study

SHAPE = Shape(methods=("dpo", "orpo"), seeds=(0, 1), heldout=40, showcase=1, steps=5)
MODEL = PlannedRewardModel(
    settings=RewardModelConfig(path="models/rewarder"), directory="models/rewarder", revision="0123456789abcdef" * 4
)
WIN_RATE = "reward_model_win_rate"


def add_reward_model(folder: Path, *, primary: str = "preference_accuracy") -> Plan:
    """A reward model's records for every run of a made-up study, and the model in its plan."""
    plan = Plan.read(folder / "plan.json").model_copy(update={"reward_model": MODEL, "primary_metric": primary})
    plan.write(folder / "plan.json")
    prompts = [HeldOutPrompt.model_validate_json(line) for line in (folder / "data/heldout.jsonl").open()]
    for run in plan.runs:
        directory = run_directory(folder, run.id)
        reward_record(plan, run.id, prompts, directory).write(directory / "reward.json")
    return plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_study(tmp_path_factory.mktemp("rewarded"), SHAPE)
    add_reward_model(folder, primary=REWARD_MODEL_SCORE)
    return folder


@pytest.fixture(scope="module")
def study(folder: Path) -> StudyResults:
    return read_study(folder)


@pytest.fixture(scope="module")
def comparison(study: StudyResults) -> Comparison:
    return compared(study)


def test_its_score_is_a_metric_like_any_other(comparison: Comparison) -> None:
    _, dpo, orpo = comparison.points
    found = dpo.metrics[REWARD_MODEL_SCORE].difference
    assert found is not None
    assert found.low < 3 < found.high
    assert (dpo.verdict, orpo.verdict) == ("better", "not resolved")
    assert "points" in dpo.reason


def test_how_often_an_answer_gets_more_than_the_bases_needs_no_scale(comparison: Comparison) -> None:
    base, dpo, orpo = (point.metrics[WIN_RATE].mean for point in comparison.points)
    assert (base.low, base.estimate, base.high) == (0.5, 0.5, 0.5)
    assert dpo.estimate > 0.9
    assert orpo.low < 0.5 < orpo.high


def test_tables_and_page_hold_it(study: StudyResults, comparison: Comparison) -> None:
    assert {"reward_model_unread_answers", "reward_model_failures", f"{WIN_RATE}_estimate"} <= set(
        comparison_table(study, comparison)
    )
    assert "reward_model_score_test_mean" in runs_table(study, comparison)
    page = render_page(study, comparison)
    assert '<section id="reward"' in page
    assert '<a href="#reward">' in page
    assert "rewarder (content 0123456789ab, served in bfloat16) scored each answer" in page
    assert "more to the preferred answer in 75%" in page
    assert "The reward model rewarder scored every answer." in page, "the methods text names it"


def test_the_crate_has_the_scoring_of_each_run(folder: Path) -> None:
    write_attestation(folder)
    graph = {entity["@id"]: entity for entity in json.loads((folder / CRATE).read_text())["@graph"]}
    actions = [entity for name, entity in graph.items() if name.startswith("#reward-")]
    assert len(actions) == 5
    assert {graph[action["instrument"]["@id"]]["softwareVersion"] for action in actions} == {"0.32.0"}


def test_its_columns_are_documented_in_order(study: StudyResults) -> None:
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    section = text.partition("## Of a reward model")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)
    assert list(reward_columns(study, study.plan.points[1].id)) == documented


def test_answers_that_are_too_long_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_reward_model(folder)
    path = run_directory(folder, plan.runs_by_point[plan.points[1].id][0].id) / "reward.json"
    record = RewardRecord.read(path)
    chosen = {prompt.id for prompt in read_study(folder).prompts if prompt.half == "test"}
    answers = [one.model_copy(update={"score": None}) if one.prompt in chosen else one for one in record.answers]
    kept = sorted(chosen)[:15]
    answers = [rewarded(one.prompt, 1.0) if one.prompt in kept else one for one in answers]
    record.model_copy(update={"answers": answers}).write(path)
    study = read_study(folder)
    comparison = compared(study)
    found = comparison.points[1].metrics[REWARD_MODEL_SCORE]
    assert (found.prompts, found.excluded_prompts) == (15, 5)
    assert reward_columns(study, comparison.points[1].point)["reward_model_unread_answers"] == 5
    assert "5 answers are longer, with the prompt," in render_page(study, comparison)


def test_a_model_of_another_taste_is_called_that(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_reward_model(folder)
    base = next(run.id for run in plan.runs if plan.point_of(run.id).method == BASE)
    path = run_directory(folder, base) / "reward.json"
    record = RewardRecord.read(path)
    record.model_copy(update={"chosen": record.rejected, "rejected": record.chosen}).write(path)
    study = read_study(folder)
    assert agreement_with_data(study) == (0.25, 40)
    assert "does not share the data&#39;s taste" in render_page(study, compared(study))


def test_a_model_that_could_not_be_served_costs_a_run_nothing_else(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_reward_model(folder)
    run = plan.runs_by_point[plan.points[1].id][0].id
    directory = run_directory(folder, run)
    (directory / "reward.json").unlink()
    Failure(
        run=run, stage="reward", failure="server_crash", message="no memory", remedy="get some", last_lines=[]
    ).write(directory / "failure-reward.json")
    study = read_study(folder)
    comparison = compared(study)
    assert {one.status for one in study.runs} == {"finished"}
    assert comparison.points[1].seeds_finished == [0, 1]
    assert comparison.points[1].metrics["preference_accuracy"].difference is not None
    assert any("reward_model_score is missing in" in notice and run in notice for notice in comparison.notices)
    told = reward_columns(study, comparison.points[1].point)["reward_model_failures"]
    assert told == f"{run}: server_crash: no memory"
    assert f"{run} was not scored" in render_page(study, comparison)


def test_scores_of_another_model_do_not_count(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_reward_model(folder)
    other = MODEL.model_copy(update={"revision": "f" * 64})
    plan.model_copy(update={"reward_model": other}).write(folder / "plan.json")
    assert all(run.rewarded.record is None for run in read_study(folder).runs)


def test_scores_of_former_answers_do_not_count(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    run = add_reward_model(folder).runs[-1].id
    path = run_directory(folder, run) / "generations.jsonl"
    path.write_text(path.read_text().replace("light", "sun"))
    assert [one.run.id for one in read_study(folder).runs if one.rewarded.record is None] == [run]


def test_without_a_reward_model_there_is_nothing_of_it(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_reward_model(folder)
    plan.model_copy(update={"reward_model": None}).write(folder / "plan.json")
    study = read_study(folder)
    comparison = compared(study)
    assert REWARD_MODEL_SCORE not in comparison.points[1].metrics
    assert not [name for name in comparison_table(study, comparison) if "reward_model" in name]
    assert 'id="reward"' not in render_page(study, comparison)
