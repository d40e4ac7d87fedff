"""Trainings that did not do what they were asked to, by the real engine: none of them counts."""

import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prefsweep.environments import python_of
from prefsweep.failures import Failure, StageError
from prefsweep.files import read_jsonl, write_json, write_jsonl
from prefsweep.gates.train import check_rows
from prefsweep.methods import load_methods
from prefsweep.plan import Plan
from prefsweep.records.train import Fit
from prefsweep.schedule import asked_learning_rate
from prefsweep.settings import TrainSettings
from prefsweep.swift_settings import swift_settings
from tests.e2e.train_all import MARK
from tests.e2e.trainer import told_by
from tests.real_project import ROOT, FinishedStudy, RealProject

METHODS = load_methods(ROOT / "config" / "methods")
STEPS = 8
BASE: dict[str, Any] = {"batch_size": 2, "max_length": 200, "precision": "float32", "learning_rate": 1e-2}
TRAININGS: dict[str, dict[str, Any]] = {
    "cosine": {"warmup_ratio": 0.3},
    "linear": {"scheduler": "linear", "warmup_ratio": 0.3, "logging_steps": 3},
    "constant": {"scheduler": "constant", "warmup_ratio": 0.3},
    "diverging": {"learning_rate": 1e30, "micro_batch_size": 1, "logging_steps": 100},
    "poisoned-4": {"micro_batch_size": 1, "logging_steps": 100},
    "frozen": {"learning_rate": 1e-300},
    "lossy": {},
    "kto": {"scheduler": "constant", "warmup_ratio": 0.0},
}
"""Name → what its training sets beside BASE."""


@dataclass(frozen=True)
class Outcome:
    """What the engine left of one training, or why it was stopped."""

    settings: dict[str, Any]
    expected: list[str]
    fit: Fit | None
    failure: str | None
    message: str | None

    @property
    def trained(self) -> Fit:
        assert self.fit, self.message
        return self.fit


def engine_rows(project: RealProject, method: str) -> list[dict[str, Any]]:
    """The sixteen rows of the tiny study, as scripts/train.py would write them."""
    rows = []
    for number, row in enumerate(read_jsonl(project.directory / "pairs.jsonl")):
        if method == "kto":
            rows.append({"id": f"r{number}", "messages": row["messages"], "label": number % 2 == 0})
        else:
            rows.append({"id": f"r{number}", **row})
    return rows


def train_all(project: RealProject, folder: Path, trainings: dict[str, dict[str, Any]]) -> list[Any]:
    """Train them all in one process of the trainer's environment; returns what it printed."""
    files = []
    for name, changes in trainings.items():
        place = folder / name
        method = METHODS["kto" if name == "kto" else "dpo"]
        rows = engine_rows(project, method.method)
        if name == "lossy":
            rows[5]["messages"] = [{"role": "user", "content": "Too long. " * 300}, *rows[5]["messages"][1:]]
        write_jsonl(place / "rows.jsonl", rows)
        knobs = {knob: spec.default or 1.0 for knob, spec in method.knobs.items()}
        # The rate that diverges is beyond what a study may ask for.
        settings = TrainSettings(**(BASE | changes | {"learning_rate": 1.0})).model_dump()
        settings |= {"learning_rate": (BASE | changes)["learning_rate"]} | knobs
        engine = swift_settings(
            method,
            settings,
            seed=0,
            model=project.directory / "model",
            model_type="llama",
            template="chatml",
            rows=place / "rows.jsonl",
            heldout=place / "rows.jsonl",
            output=place / "checkpoints",
            tracking=place / "tracking",
            device="cpu",
        )
        write_json(place / "settings.json", engine | {"strict": name != "lossy"})
        write_json(place / "asked.json", settings)
        files.append(str(place / "settings.json"))
    return told_by("train_all.py", MARK, *files)


def outcomes(answers: list[Any]) -> Iterator[tuple[str, Outcome]]:
    for told in answers:
        place = Path(told["settings"]).parent
        yield (
            place.name,
            Outcome(
                settings=json.loads((place / "asked.json").read_text()),
                expected=[row["id"] for row in read_jsonl(place / "rows.jsonl")],
                fit=Fit.model_validate(told["fit"]) if told["fit"] else None,
                failure=told["failure"],
                message=told["message"],
            ),
        )


@pytest.fixture(scope="module")
def trainings(tiny: RealProject, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return dict(outcomes(train_all(tiny, tmp_path_factory.mktemp("trainings"), TRAININGS)))


@pytest.mark.parametrize("name", ["cosine", "linear", "constant"])
def test_the_engine_makes_each_step_at_the_rate_that_was_asked_for(trainings: dict[str, Outcome], name: str) -> None:
    fit, settings = trainings[name].trained, trainings[name].settings
    assert fit.steps == STEPS
    rates = {step.step: step.learning_rate for step in fit.history}
    assert list(rates) == ([1, 3, 6] if name == "linear" else list(range(1, STEPS + 1)))
    assert rates == pytest.approx({step: asked_learning_rate(settings, step, STEPS) for step in rates})
    assert rates[1] == 0
    assert 0 < rates[3] < settings["learning_rate"]


def test_a_diverging_training_stops_at_its_first_bad_value_though_nothing_was_logged(
    trainings: dict[str, Outcome],
) -> None:
    found = trainings["diverging"]
    assert found.failure == "nan"
    assert found.message
    assert int(found.message.partition("step ")[2].partition(":")[0]) <= 3


def test_a_gradient_that_is_not_a_number_stops_the_run_in_a_step_that_is_not_logged(
    trainings: dict[str, Outcome],
) -> None:
    found = trainings["poisoned-4"]
    assert (found.failure, found.message) == ("nan", "step 4: the gradient's norm is nan")


def test_a_rate_too_small_for_any_effect_leaves_an_adapter_of_zeros(trainings: dict[str, Outcome]) -> None:
    assert trainings["frozen"].trained.adapter_norm == 0
    assert trainings["cosine"].trained.adapter_norm > 0


def test_a_row_the_engine_drops_unasked_is_missed(trainings: dict[str, Outcome]) -> None:
    lossy = trainings["lossy"]
    with pytest.raises(StageError, match=r"1 rows were not trained on in each of 1 epochs: r5") as caught:
        check_rows(lossy.trained.row_counts, lossy.expected, 1)
    assert caught.value.failure == "data"
    check_rows(trainings["cosine"].trained.row_counts, trainings["cosine"].expected, 1)


def test_kto_estimates_a_kl_at_each_step(trainings: dict[str, Outcome]) -> None:
    history = trainings["kto"].trained.history
    assert history[0].kl == 0
    assert history[0].loss == pytest.approx(0.5, abs=1e-4)
    assert all(step.kl is not None and math.isfinite(step.kl) for step in history)


def stage_failure(study: FinishedStudy, folder: Path, plan: Plan) -> Failure:
    """What the study's scripts/train.py leaves in `folder/run` of the DPO run of this plan, which must fail."""
    (run,) = (one.id for one in plan.runs if one.id.startswith("dpo-"))
    plan.write(folder / "plan.json")
    project = study.directory.parents[1]
    command = [str(python_of("train", "cpu")), str(project / "scripts" / "train.py"), "--run", run]
    command += ["--plan", str(folder / "plan.json"), "--trainer", str(project / "scripts" / "fit.py"), "--threads", "2"]
    command += ["--method", str(project / "config" / "methods" / "dpo.yaml")]
    command += ["--data", str(study.directory / "data"), "--output", str(folder / "run")]
    outcome = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert outcome.returncode == 1, outcome.stdout[-4000:]
    assert not (folder / "run" / "train.json").exists()
    assert not (folder / "run" / "adapter").exists()
    return Failure.read(folder / "run" / "failure-train.json")


def test_a_weight_that_is_not_a_number_fails_the_run_in_its_first_step(
    tiny: RealProject, study: FinishedStudy, tmp_path: Path
) -> None:
    model = shutil.copytree(tiny.directory / "model", tmp_path / "model")
    poison = (
        "import sys; from safetensors.torch import load_file, save_file; path = sys.argv[1]; found = load_file(path);"
        "found['model.norm.weight'][0] = float('nan'); save_file(found, path, metadata={'format': 'pt'})"
    )
    subprocess.run([str(python_of("train", "cpu")), "-c", poison, str(model / "model.safetensors")], check=True)
    plan = Plan.read(study.directory / "plan.json")
    poisoned = plan.model.model_copy(update={"directory": str(model)})
    failure = stage_failure(study, tmp_path, plan.model_copy(update={"model": poisoned}))
    assert (failure.failure, failure.message) == ("nan", "step 1: the loss is nan")


def test_a_run_without_effect_fails(study: FinishedStudy, tmp_path: Path) -> None:
    plan = Plan.read(study.directory / "plan.json")
    points = [
        point.model_copy(update={"settings": point.settings | {"learning_rate": 1e-300}}) for point in plan.points
    ]
    failure = stage_failure(study, tmp_path, plan.model_copy(update={"points": points}))
    assert (failure.failure, failure.message) == ("no_effect", "every LoRA B matrix is zero after training")
