"""Every documented format of preference data is trained on by the real engine, and each row of it is."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from prefsweep.dataset import load_dataset_spec
from prefsweep.files import write_json, write_jsonl
from prefsweep.methods import load_methods
from prefsweep.preparation import prepare
from prefsweep.records.train import Fit
from prefsweep.settings import TrainSettings
from prefsweep.swift_settings import swift_settings
from prefsweep.training_rows import write_heldout_rows, write_training_rows, written_ids
from tests.e2e.train_all import MARK
from tests.e2e.trainer import told_by
from tests.real_project import ROOT, RealProject
from tests.unit.test_formats import documented

METHODS = load_methods(ROOT / "config" / "methods")
CONVERSATIONS = ROOT.parent / "shared" / "data" / "dpo_en_demo.json"
"""300 real conversations in ShareGPT's form, which come with the team's notes and not with the project."""
ROWS = 20


@dataclass(frozen=True)
class Trained:
    """What was prepared, and what the engine trained on."""

    expected: list[str]
    counts: dict[str, int]
    adapter_norm: float


def rows_like(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of the shape of an example in docs/formats.md; every other one of labelled rows is bad."""
    text = json.dumps(row, ensure_ascii=False)
    rows = []
    for number in range(ROWS):
        said = text.replace("Hi?", f"What is {number} times {number + 3}?").replace("Hello", f"It is {number}")
        rows.append(json.loads(said.replace("true", "false" if number % 2 else "true")))
    return rows


def datasets(folder: Path) -> dict[str, dict[str, Any]]:
    """Name → what a study says under `dataset:`."""
    found = {}
    for number, (name, row) in enumerate(documented()):
        if name.partition(",")[0].endswith("prompts only") or name.startswith("messages, prompts"):
            continue
        path = folder / f"{number}.jsonl"
        write_jsonl(path, rows_like(row))
        found[f"{number} {name}"] = {"path": str(path)}
    if CONVERSATIONS.exists():
        found["conversations"] = {"path": str(CONVERSATIONS), "limit": 8, "max_too_long": 1.0}
    return found


@pytest.fixture(scope="module")
def trained(tiny: RealProject, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    folder, model = tmp_path_factory.mktemp("formats"), tiny.directory / "model"
    expected, files = {}, {}
    for name, dataset in datasets(folder).items():
        place = folder / name.replace(" ", "-").replace(",", "")
        content = prepare(load_dataset_spec(dataset, folder, folder), folder, model, 2048, place / "data").content
        method = METHODS["dpo" if content == "pairs" else "kto"]
        settings = TrainSettings(batch_size=4, precision="float32", learning_rate=1e-2).model_dump()
        rows = write_training_rows(method.data, place / "data", place / "rows.jsonl")
        engine = swift_settings(
            method,
            settings | {knob: spec.default or 1.0 for knob, spec in method.knobs.items()},
            seed=0,
            model=model,
            model_type="llama",
            template="chatml",
            rows=rows,
            heldout=write_heldout_rows(method.data, place / "data", place / "heldout.jsonl"),
            output=place / "checkpoints",
            tracking=place / "tracking",
            device="cpu",
        )
        write_json(place / "settings.json", engine)
        expected[name], files[str(place / "settings.json")] = written_ids(rows), name
    told = told_by("train_all.py", MARK, *files)
    fits = {files[one["settings"]]: Fit.model_validate(one["fit"]) for one in told}
    return {name: Trained(expected[name], fit.row_counts, fit.adapter_norm) for name, fit in fits.items()}


def test_every_format_is_trained_on_row_by_row(trained: dict[str, Trained]) -> None:
    assert len(trained) >= 20
    for name, found in trained.items():
        assert found.counts == dict.fromkeys(found.expected, 1), name
        assert len(found.expected) >= 8, name
        assert found.adapter_norm > 0, name


@pytest.mark.skipif(not CONVERSATIONS.exists(), reason="the real conversations are not beside this checkout")
def test_real_conversations_are_trained_on_as_they_are(trained: dict[str, Trained]) -> None:
    assert len(trained["conversations"].expected) == 8
