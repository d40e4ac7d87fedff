"""Faults in a model, as a user meets them: found before anything runs, with the file, what is wrong and what to do.

What only shows when a model is merged or served (M6, M7) is in tests/e2e/test_parity_gates.py, with the real engines.
"""

import json
import os
import runpy
import shutil
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.models import directory_revision
from prefsweep.plan import Plan
from prefsweep.records.base import hashed_files
from prefsweep.records.train import TrainRecord
from tests.example_study import Shape, build_study
from tests.faults.conftest import Planning
from tests.model_fixtures import edit
from tests.workflow.conftest import ROOT, STUDY


def write_study(planning: Planning, model: Path, more: str = "") -> None:
    """A study of this model folder."""
    keys = f"path: {model.name}, model_type: llama, template: chatml{more}"
    study = STUDY.format(model="base-model").replace("path: base-model, model_type: llama, template: chatml", keys)
    (planning.folder / "study.yaml").write_text(study)


def refused(planning: Planning, model: Path) -> str:
    """What is said of a study of this model folder, before any job."""
    write_study(planning, model)
    return planning.project.refused().replace(f"{planning.folder}/", "")


@pytest.fixture
def model(planning: Planning) -> Path:
    """A folder that would pass."""
    folder = planning.folder / "tried-model"
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(planning.folder / "base-model", folder)


def flip(path: Path, byte: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


def index(model: Path) -> None:
    (model / "model.safetensors").rename(model / "model-00001-of-00002.safetensors")
    shards = {"layer.0": "model-00001-of-00002.safetensors", "layer.1": "model-00002-of-00002.safetensors"}
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


Damage = Callable[[Path], object]
FAULTS: dict[str, tuple[Damage, str]] = {
    "m1 missing": (shutil.rmtree, "tried-model: no such directory"),
    "m1 no config": (lambda m: (m / "config.json").unlink(), "tried-model/config.json: no such file"),
    "m1 architecture": (
        lambda m: edit(m / "config.json", architectures=["BertForMaskedLM"]),
        "not a causal language model (architectures: BertForMaskedLM)",
    ),
    "m2 truncated": (lambda m: cut(m / "model.safetensors"), "model.safetensors: truncated or damaged"),
    "m3 shard": (index, "model-00002-of-00002.safetensors: missing, although"),
    "m4 pickle": (
        lambda m: (m / "model.safetensors").rename(m / "pytorch_model.bin"),
        "pytorch_model.bin: pickled weights can execute code",
    ),
    "m4 plugin": (
        lambda m: (m / "args.json").write_text('{"external_plugins": ["plugin.py"]}'),
        "args.json: external_plugins makes ms-swift execute code",
    ),
    "m5 template": (lambda m: (m / "chat_template.jinja").unlink(), "has no chat template"),
    "m5 end of turn": (
        lambda m: edit(m / "tokenizer_config.json", eos_token="<|endoftext|>"),
        "the eos_token is <|endoftext|>, but the chat template ends a turn with '<|im_end|>'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_damaged_model_is_refused_before_anything_runs(planning: Planning, model: Path, fault: str) -> None:
    damage, message = FAULTS[fault]
    damage(model)
    assert message in " ".join(refused(planning, model).split())


def test_m2_a_flipped_bit_of_pinned_weights(planning: Planning, model: Path) -> None:
    """It takes reading all of the model, which is done once, when the model is put in place before the first job."""
    pinned = directory_revision(model)
    flip(model / "model.safetensors", -1)
    write_study(planning, model, more=f", revision: {pinned}")
    outcome = planning.project.snakemake()
    assert outcome.returncode != 0
    said = " ".join(outcome.stdout.split())
    assert f"its content hash is {directory_revision(model)}, not the revision {pinned}" in said
    assert not list(planning.folder.glob("results/*/runs/*/*/train.json"))


def test_m4_code_is_named_and_never_run(planning: Planning, model: Path) -> None:
    canary = planning.folder / "canary"
    (model / "modeling_x.py").write_text(f"open({str(canary)!r}, 'w')")
    edit(model / "config.json", auto_map={"AutoModelForCausalLM": "modeling_x.Model"})
    assert "auto_map makes loading it execute code" in refused(planning, model)
    edit(model / "config.json", auto_map=None)
    assert "modeling_x.py: a model must not ship Python code" in refused(planning, model)
    assert not canary.exists()


def test_m4_a_changed_adapter_is_not_merged(tmp_path: Path) -> None:
    """ms-swift would execute what an adapter's args.json names."""
    study = build_study(tmp_path, Shape(methods=("dpo",)))
    plan = Plan.read(study / "plan.json")
    run = next(run.id for run in plan.runs if run.id.startswith("dpo-"))
    adapter = study / "runs" / run / "adapter"
    adapter.mkdir()
    (adapter / "adapter.safetensors").write_bytes(b"weights")
    record = TrainRecord.read(adapter.with_name("train.json")).model_copy(update={"adapter": hashed_files(adapter)})
    record.write(adapter.with_name("train.json"))
    (adapter / "args.json").write_text('{"external_plugins": ["plugin.py"]}')
    merge = runpy.run_path(str(ROOT / "scripts" / "merge.py"))
    options = Namespace(run=run, output=adapter.parent, data=study / "data")
    with pytest.raises(
        StageError, match=r"adapter/args\.json has sha256 .* train\.json recorded no such file"
    ) as caught:
        merge["run"](options, plan, 0.0)
    assert caught.value.failure == "wrong_model"
