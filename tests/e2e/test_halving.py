"""A run that stopped at a rung and goes on from its checkpoint is, bit for bit, the run that never stopped."""

from typing import Any

import pandas
import pytest

from prefsweep.files import read_jsonl, sha256_of, write_json, write_jsonl
from prefsweep.methods import load_methods
from prefsweep.records.base import read_document
from prefsweep.records.measure import Throughput
from prefsweep.records.score import Scores
from prefsweep.records.train import TrainRecord
from prefsweep.settings import TrainSettings
from prefsweep.swift_settings import swift_settings
from tests.e2e.train_in_parts import MARK
from tests.e2e.trainer import told_by
from tests.real_project import ROOT, FinishedStudy, RealProject

METHODS = load_methods(ROOT / "config" / "methods")
CASES = [*((method, "float32") for method in ("dpo", "orpo", "simpo", "kto", "cpo")), ("dpo", "bfloat16")]
STOP, STEPS = 3, 6
"""In the first of two epochs of four steps; the last batch of an epoch is half full."""
STUDY = """\
study: halving
model: {path: model, model_type: llama, template: chatml}
dataset: {path: pairs.jsonl, heldout: heldout.jsonl}
device: cpu
methods: {dpo: {beta: [0.1, 0.5]}}
search: {halving: {start: 0.5, keep: 0.5, rungs: 1}}
primary_metric: preference_margin
train: {learning_rate: 1.0e-2, batch_size: 4, max_length: 200, precision: float32}
generate: {max_tokens: 8, concurrency: [2], repeats: 1, timed_tokens: 4, timed_requests: 2, precision: float32}
"""


def engine_rows(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Pairs, and the same answers labelled one by one, as ms-swift reads them."""
    pairs = [{"id": f"{number}", **row} for number, row in enumerate(rows)]
    labelled = []
    for pair in pairs:
        *prompt, chosen = pair["messages"]
        rejected = {"role": "assistant", "content": pair["rejected_response"]}
        labelled += [
            {"id": f"{pair['id']}.{label}", "messages": [*prompt, answer], "label": label}
            for answer, label in ((chosen, True), (rejected, False))
        ]
    return {"pairs": pairs, "labelled": labelled}


@pytest.fixture(scope="module")
def parts(tiny: RealProject, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    """(Method, precision) → what `train_in_parts` found."""
    folder = tmp_path_factory.mktemp("parts")
    for form, rows in engine_rows(read_jsonl(tiny.directory / "pairs.jsonl")[:10]).items():
        write_jsonl(folder / f"{form}.jsonl", rows)
    files = {}
    for name, precision in CASES:
        method = METHODS[name]
        settings = TrainSettings(batch_size=4, epochs=2, learning_rate=1e-2, precision=precision, max_length=200)
        rows = folder / f"{method.data}.jsonl"
        engine = swift_settings(
            method,
            settings.model_dump() | {knob: spec.default for knob, spec in method.knobs.items()},
            seed=3,
            model=tiny.directory / "model",
            model_type="llama",
            template="chatml",
            rows=rows,
            heldout=rows,
            output=folder / f"{name}-{precision}",
            tracking=folder / "tracking",
            device="cpu",
        )
        path = folder / f"{name}-{precision}.json"
        write_json(path, engine)
        files[str(path)] = (name, precision)
    told = told_by("train_in_parts.py", MARK, *(f"{file}@{STOP}" for file in files))
    return {files[file]: found for file, found in told}


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_continued_run_ends_with_the_same_bits(
    parts: dict[tuple[str, str], dict[str, Any]], case: tuple[str, str]
) -> None:
    found = parts[case]
    whole, first, both = found["adapters"]
    assert found["steps"] == [STEPS, STOP, STEPS]
    assert both == whole != first
    assert found["losses"][0] == found["losses"][1]
    assert found["counts"][0] == found["counts"][1]
    assert found["tokens"][0] == found["tokens"][1]


@pytest.fixture(scope="module")
def halved(tiny: RealProject) -> FinishedStudy:
    study = tiny.run(STUDY)
    assert study.returncode == 0, study.output[-6000:]
    return study


def test_the_study_trains_one_of_two_points_to_the_end(halved: FinishedStudy) -> None:
    runs = pandas.read_csv(halved.report / "runs.csv").set_index("run")["status"]
    assert sorted(runs) == ["finished", "finished", "stopped"]
    (kept,) = [s for s in read_document(halved.directory / "admission" / "end.json")["standings"] if s["kept"]]
    record = TrainRecord.read(halved.directory / "runs" / kept["point"] / "seed-0" / "train.json")
    assert record.continued_from_step == 2
    assert record.steps == record.expected_steps == len(record.history) == 4
    assert [step.step for step in record.history] == [1, 2, 3, 4]
    assert record.sequences == 32


def test_a_rung_is_decided_on_the_development_half_without_timing(halved: FinishedStudy) -> None:
    rungs = sorted(halved.directory.glob("runs/dpo-*/seed-0/rung-1"))
    assert len(rungs) == 2
    for rung in rungs:
        assert {prompt.half for prompt in Scores.read(rung / "scores.json").prompts} == {"development"}
        assert Throughput.read(rung / "throughput.json").passes == []
        assert not (rung / "merged").exists()


def test_a_checkpoint_that_was_changed_is_not_continued_from(tiny: RealProject, halved: FinishedStudy) -> None:
    (kept,) = [s for s in read_document(halved.directory / "admission" / "end.json")["standings"] if s["kept"]]
    run = halved.directory / "runs" / kept["point"] / "seed-0"
    adapter = sha256_of(run / "adapter" / "adapter_model.safetensors")
    (run / "rung-1" / "checkpoint" / "optimizer.pt").write_bytes(b"rotten")
    (run / "train.json").unlink()
    again = tiny.run(STUDY, str((run / "train.json").relative_to(tiny.directory)))
    assert again.returncode == 0, again.output[-6000:]
    assert TrainRecord.read(run / "train.json").continued_from_step == 0
    assert sha256_of(run / "adapter" / "adapter_model.safetensors") == adapter
