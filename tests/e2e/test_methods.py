"""Every method of the catalogue as the real engine has it: its loss of known answers, its first loss, what it learns.

All are trained in one process on a tiny model. The expected losses are those of the papers, not the engine's; two
settings files with a flag left out show that a wrong translation is seen.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prefsweep.dataset import load_dataset_spec
from prefsweep.environments import python_of
from prefsweep.files import write_json
from prefsweep.methods import load_methods
from prefsweep.preparation import prepare
from prefsweep.settings import TrainSettings
from prefsweep.swift_settings import swift_settings
from prefsweep.tracking import tracking_environment
from prefsweep.training_rows import write_heldout_rows, write_training_rows
from tests.e2e.method_losses import MARK, PAIRS
from tests.e2e.paper_losses import LOSSES, ONE_PAIR, nll
from tests.e2e.trainer import told_by
from tests.real_project import ROOT, RealProject

METHODS = load_methods(ROOT / "config" / "methods")
WRONG = {"simpo without cpo_alpha": ("simpo", "cpo_alpha"), "slic without loss_type": ("slic", "loss_type")}
"""Flags that are left out, to see that it shows."""


@dataclass(frozen=True)
class Trained:
    """What the engine said of one settings file."""

    losses: tuple[float, float]
    """Of the first pair, and of both."""
    first_loss: float
    adapter_norm: float


def engine_settings(name: str, project: RealProject, folder: Path, place: Path) -> dict[str, Any]:
    method = METHODS[name]
    settings = TrainSettings(batch_size=4, precision="float32", learning_rate=1e-2).model_dump()
    settings |= {"engine": {"report_to": ["tensorboard" if name == "dpo" else "none"]}}
    return swift_settings(
        method,
        settings | LOSSES[name][0],
        seed=0,
        model=project.directory / "model",
        model_type="llama",
        template="chatml",
        rows=write_training_rows(method.data, folder / "data", place / "rows.jsonl"),
        heldout=write_heldout_rows(method.data, folder / "data", place / "heldout.jsonl"),
        output=place / "checkpoints",
        tracking=folder / "tracking",
        device="cpu",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("methods")


@pytest.fixture(scope="module")
def trained(tiny: RealProject, folder: Path) -> dict[str, Trained]:
    spec = {name: str(folder / f"{name}.jsonl") for name in ("path", "heldout")}
    for name, source in (("path", "pairs"), ("heldout", "heldout")):
        lines = (ROOT / "data" / "emoji-en" / f"{source}.jsonl").read_text().splitlines(keepends=True)
        Path(spec[name]).write_text("".join(lines[:8]))
    prepare(load_dataset_spec(spec, folder, folder), folder, tiny.directory / "model", 2048, folder / "data")
    files = {}
    for name, (method, left_out) in {**{name: (name, "") for name in METHODS}, **WRONG}.items():
        place = folder / name.replace(" ", "-")
        place.mkdir()
        flags = engine_settings(method, tiny, folder, place)
        file = place / "settings.json"
        write_json(file, {flag: value for flag, value in flags.items() if flag != left_out})
        files[str(file)] = name
    told = told_by("method_losses.py", MARK, *files, **tracking_environment(folder / "tracking", ["tensorboard"]))
    return {files[file]: Trained(tuple(losses), first, norm) for file, losses, first, norm in told}


def test_every_method_is_here() -> None:
    assert LOSSES.keys() == METHODS.keys()


@pytest.mark.parametrize("name", ONE_PAIR)
def test_the_five_methods_have_the_losses_worked_out_by_hand(trained: dict[str, Trained], name: str) -> None:
    assert trained[name].losses[0] == pytest.approx(ONE_PAIR[name], abs=2e-6)


@pytest.mark.parametrize("name", METHODS)
def test_the_engine_minimises_what_the_paper_says(trained: dict[str, Trained], name: str) -> None:
    expected = LOSSES[name][1]
    assert trained[name].losses == pytest.approx((expected(PAIRS[:1]), expected(PAIRS)), rel=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_the_first_loss_is_the_theorys(trained: dict[str, Trained], name: str) -> None:
    expected = METHODS[name].expected_first_loss(LOSSES[name][0])
    assert expected is None or trained[name].first_loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns(trained: dict[str, Trained], name: str) -> None:
    assert trained[name].adapter_norm > 0.01


@pytest.mark.parametrize("name", WRONG)
def test_a_flag_that_is_left_out_shows(trained: dict[str, Trained], name: str) -> None:
    method, _ = WRONG[name]
    assert trained[name].losses[0] != pytest.approx(LOSSES[method][1](PAIRS[:1]), rel=0.01)


def test_simpo_without_its_zero_would_be_cpo_simpo(trained: dict[str, Trained]) -> None:
    assert trained["simpo without cpo_alpha"].losses[0] == pytest.approx(ONE_PAIR["simpo"] + nll(PAIRS[:1]), abs=2e-6)


def test_curves_lie_where_they_are_sent(trained: dict[str, Trained], folder: Path) -> None:
    assert trained
    assert len(list((folder / "tracking" / "tensorboard").glob("events.out.tfevents.*"))) == 1


def test_the_arguments_that_may_be_passed_on_are_the_pinned_engines(tmp_path: Path) -> None:
    script, file = ROOT / "scripts" / "swift_arguments.py", tmp_path / "arguments.json"
    subprocess.run([str(python_of("train", "cpu")), str(script), "--output", str(file)], check=True)
    written = (ROOT / "config" / "engine" / "arguments.json").read_text()
    assert file.read_text() == written, "run scripts/swift_arguments.py in the train environment"
