"""What a study may pass on to ms-swift, and what it is told about the rest before anything is spent."""

from pathlib import Path
from typing import Any

import pytest

from prefsweep.engine_arguments import engine_notices, own_arguments, passed_on
from prefsweep.methods import load_methods
from prefsweep.plan import Point
from prefsweep.study import StudyError, load_study
from prefsweep.suitability import check_tracking
from prefsweep.sweep import Inputs, expand

METHODS = load_methods(Path(__file__).resolve().parents[2] / "config" / "methods")
INPUTS = Inputs("m", "t", "d", "cpu")


def study(directory: Path, train: str = "", dpo: str = "") -> Path:
    file = directory / "study.yaml"
    file.write_text(
        "study: s\nmodel: m\ndataset: d\n"
        f"methods:\n  dpo:\n    engine: {{{dpo}}}\n  kto:\n"
        f"train:\n  lora_rank: [4, 8]\n  engine:\n    {{{train}}}\n"
    )
    return file


def points(directory: Path, **sections: str) -> list[Point]:
    return expand(load_study(study(directory, **sections), {}, METHODS), METHODS, INPUTS)[1:]


def test_arguments_are_part_of_every_point_and_of_its_identity(tmp_path: Path) -> None:
    plain, given = points(tmp_path), points(tmp_path, train="optim: adafactor, adam_beta2: 0.95", dpo="optim: sgd")
    assert [own_arguments(point.settings) for point in plain] == [{}] * 4
    assert all("engine" not in point.settings for point in plain)
    found = {point.method: own_arguments(point.settings) for point in given}
    assert found == {"dpo": {"optim": "sgd", "adam_beta2": 0.95}, "kto": {"optim": "adafactor", "adam_beta2": 0.95}}
    assert not {point.id for point in plain} & {point.id for point in given}


def test_methods_that_differ_in_them_are_said_to(tmp_path: Path) -> None:
    assert engine_notices(points(tmp_path, train="optim: sgd")) == []
    [notice] = engine_notices(points(tmp_path, dpo="optim: sgd"))
    assert 'dpo {"optim": "sgd"}; kto {}' in notice


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("optimm: sgd", "train.engine.optimm: unknown key; did you mean 'optim'?"),
        ("adam_beta1: much", "train.engine.adam_beta1: input should be a valid number"),
        ("adam_beta1: .nan", "adam_beta1: input should be a finite number"),
        ("group_by_length: 1", "group_by_length: input should be a valid boolean"),
        ("optim: sdg", "train.engine.optim: input should be 'adamw_torch'"),
        ("learning_rate: 0.1", "learning_rate is not passed on; set `learning_rate`"),
        ("num_train_epochs: 3", "num_train_epochs is not passed on; set `epochs`"),
        ("beta: 0.1", "beta is not passed on; choose a method that sets it: aot, "),
        ("rpo_alpha: 1.0", "rpo_alpha is not passed on; choose a method that sets it: rpo"),
        ("cpo_alpha: 1.0", "choose a method that sets it: cpo, cpo_simpo, simpo, slic"),
        ("num_generations: 8", "no LoRA that a method here trains makes use of it"),
        ("galore_rank: 8", "no LoRA that a method here trains makes use of it"),
        ("external_plugins: x.py", "external_plugins is not passed on; remove it; it loads code"),
        ("report_to: wandbb", "report_to cannot be 'wandbb'; choose from tensorboard, wandb"),
        ("report_to: [none, tensorboard]", "report_to is either none or integrations"),
    ],
)
def test_what_cannot_be_passed_on_is_refused_with_its_line(tmp_path: Path, given: str, message: str) -> None:
    file = study(tmp_path, train=given)
    with pytest.raises(StudyError) as caught:
        load_study(file, {}, METHODS)
    assert f"{file}:11: train.engine" in str(caught.value)
    assert message in str(caught.value)


def test_a_secret_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="put it into the environment as HF_TOKEN") as caught:
        load_study(study(tmp_path, dpo="hub_token: hf_canary"), {}, METHODS)
    assert "hf_canary" not in str(caught.value)


@pytest.mark.parametrize(("sections", "line"), [({"train": "report_to: wandb"}, 11), ({"dpo": "report_to: wandb"}, 6)])
def test_an_integration_that_is_not_installed_is_refused(tmp_path: Path, sections: dict[str, Any], line: int) -> None:
    found = points(tmp_path, **sections)
    with pytest.raises(StudyError, match=rf"study.yaml:{line}: .*wandb is not in the train environment; add it to"):
        check_tracking(tmp_path / "study.yaml", found, "cpu")


@pytest.mark.parametrize("names", ["tensorboard", "none"])
def test_an_integration_that_is_installed_is_taken(tmp_path: Path, names: str) -> None:
    found = points(tmp_path, train=f"report_to: {names}")
    check_tracking(tmp_path / "study.yaml", found, "cpu")
    assert own_arguments(found[0].settings) == {"report_to": [names]}


def test_a_section_without_arguments_passes_none_on(tmp_path: Path) -> None:
    config = load_study(study(tmp_path), {}, METHODS)
    assert passed_on(config.train, config.methods.kto) == {}  # type: ignore[attr-defined]
