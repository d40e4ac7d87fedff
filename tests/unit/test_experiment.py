"""A study as an experiment of MLflow: what the tables say and nothing else, under names that MLflow takes."""

import posixpath
import re
import shutil
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefsweep.comparison import Comparison, compared
from prefsweep.experiment import _OF_RUN, REPORT, _named, experiment
from prefsweep.records.tracked import TrackedRun, TrackedStudy
from prefsweep.records.train import TrainRecord
from prefsweep.results import Status, StudyResults, read_study
from prefsweep.run_table import runs_table
from tests.example_study import Shape, build_study

HOSTILE = "=1+1 <img src=x> [l](javascript:x) \u202e\x1b[31m\x00"
SHAPE = Shape(
    methods=("dpo", "kto", "orpo", "cpo"), seeds=(0, 1), heldout=12, showcase=1, steps=4, failed=("orpo",),
    unfinished=("cpo",), text=lambda text: f"{text} {HOSTILE}",
)  # fmt: skip
DPO, KTO, ORPO, CPO = (f"{method}-00000000/seed-1" for method in SHAPE.methods)


def _experiment(folder: Path) -> TrackedStudy:
    study = read_study(folder)
    return experiment(study, compared(study))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_study(tmp_path_factory.mktemp("experiment"), SHAPE)
    for name in ("index.html", "figures/metric-words.svg"):
        path = folder / "report" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("made up")
    return folder


@pytest.fixture(scope="module")
def study(folder: Path) -> tuple[StudyResults, Comparison]:
    study = read_study(folder)
    return study, compared(study)


@pytest.fixture(scope="module")
def logged(study: tuple[StudyResults, Comparison]) -> TrackedStudy:
    return experiment(*study)


@pytest.fixture(scope="module")
def runs(logged: TrackedStudy) -> dict[str, TrackedRun]:
    assert len({run.id for run in logged.runs}) == len(logged.runs)
    return {run.id: run for run in logged.runs}


def test_every_run_lies_below_its_point_and_the_report_beside_the_points(
    study: tuple[StudyResults, Comparison], runs: dict[str, TrackedRun]
) -> None:
    plan = study[0].plan
    assert list(runs) == [REPORT, *(point.id for point in plan.points), *(run.id for run in plan.runs)]
    assert {run.id: runs[run.id].parent for run in plan.runs} == {run.id: run.point for run in plan.runs}
    assert [(file.folder, file.path.name) for file in runs[REPORT].files] == [
        ("report/figures", "metric-words.svg"), ("report", "index.html"),
    ]  # fmt: skip


def test_a_run_has_the_numbers_of_its_row_and_what_is_missing_is_not_logged(
    study: tuple[StudyResults, Comparison], runs: dict[str, TrackedRun]
) -> None:
    settings = {name for point in study[0].plan.points for name in point.settings}
    for row in runs_table(*study).to_dict("records"):
        numbers = {
            name: cell
            for name, cell in row.items()
            if isinstance(cell, int | float) and name not in {"seed", *settings} and cell == cell
        }
        assert sorted(runs[row["run"]].metrics.values()) == sorted(numbers.values())
    assert runs[DPO].metrics["train_seconds"] > 0
    assert not {"train_seconds", "kl_zero_share"} & runs[ORPO].metrics.keys()
    assert "kl_zero_share" in runs[KTO].metrics
    assert "kl_zero_share" not in runs[DPO].metrics
    assert runs[CPO].metrics == {}


def test_settings_are_parameters_and_words_are_tags(runs: dict[str, TrackedRun]) -> None:
    assert runs[DPO].parameters == {
        "method": "dpo", "beta": "0.1", "learning_rate": "0.0002", "lora_rank": "8", "epochs": "1", "seed": "1",
    }  # fmt: skip
    point = runs["dpo-00000000"]
    assert runs[DPO].parameters == point.parameters | {"seed": "1"}
    expected = {"method": "dpo", "seed": "1", "run": DPO, "verdict": point.tags["verdict"], "status": "finished"}
    assert expected.items() <= runs[DPO].tags.items()
    assert point.tags["recommended"] in ("True", "False")
    assert "difference_to_base" in point.metrics


def test_what_failed_is_failed_with_its_class_and_its_record(runs: dict[str, TrackedRun]) -> None:
    assert {name: run.status for name, run in runs.items() if name in (DPO, ORPO, CPO, "orpo-00000000")} == {
        DPO: "FINISHED", ORPO: "FAILED", CPO: "SCHEDULED", "orpo-00000000": "FAILED",
    }  # fmt: skip
    assert (runs[ORPO].tags["failure_class"], runs[ORPO].tags["failure_stage"]) == ("nan", "train")
    assert runs[ORPO].description.startswith("**nan** in train: the loss was not finite at step 7")
    assert [file.path.name for file in runs[ORPO].files] == ["failure-train.json"]
    assert set(_OF_RUN) == set(get_args(Status))


def test_training_is_logged_step_by_step_as_far_as_the_method_defines_it(
    folder: Path, runs: dict[str, TrackedRun]
) -> None:
    curves = {curve.metric: curve.points for curve in runs[DPO].curves}
    history = TrainRecord.read(folder / "runs" / DPO / "train.json").history
    assert [(step, value) for step, value, _ in curves["train/loss"]] == [(step.step, step.loss) for step in history]
    assert [seconds for _, _, seconds in curves["train/loss"]] == [0, 1.5, 3, 4.5]
    assert "train/kl" not in curves
    assert "train/kl" in {curve.metric for curve in runs[KTO].curves}
    assert runs[ORPO].curves == []


def test_foreign_text_hides_and_formats_nothing(logged: TrackedStudy) -> None:
    for run in logged.runs:
        for text in (run.name, run.description, *run.tags.values(), *run.parameters.values()):
            assert not re.search("[\u202e\x00\x1b]", text), text
        assert not re.search(r"(?<!\\)\[|<img", run.description)
    assert "<img" not in logged.description
    assert "| `preference_accuracy_…` | share | higher |" in logged.description
    assert len(logged.description) < 5000


def test_the_same_study_elsewhere_has_the_same_content_and_a_changed_run_another(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(folder, elsewhere)
    here = {run.id: run.sha256() for run in _experiment(folder).runs}
    assert {run.id: run.sha256() for run in _experiment(elsewhere).runs} == here
    path = elsewhere / "runs" / DPO / "train.json"
    TrainRecord.read(path).model_copy(update={"adapter_norm": 9.0}).write(path)
    changed = {run.id: run.sha256() for run in _experiment(elsewhere).runs}
    assert {name for name in here if here[name] != changed[name]} == {DPO}


@given(st.dictionaries(st.text(max_size=300), st.just(1.0), max_size=8))
def test_names_are_ones_that_mlflow_takes(columns: dict[str, float]) -> None:
    named = _named(columns)
    assert len(named) == len(columns)
    for name in named:
        assert re.fullmatch(r"[/\w.\- ]+", name)
        assert len(name) <= 250
        assert posixpath.normpath(name) == name
        assert not name.startswith(("/", ".."))


def test_a_tasks_value_is_grouped_with_the_tasks_others() -> None:
    named = _named({"task:gsm8k:exact_match,strict-match": 0.5, "task:gsm8k:exact_match/strict-match": 0.25})
    assert named == {"task/gsm8k/exact_match/strict-match": 0.5, "task/gsm8k/exact_match/strict-match_2": 0.25}
