"""Models that are not what was trained, planted where the real engines meet them: each is found out in time."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from prefsweep.environments import python_of, root
from prefsweep.failures import Failure
from prefsweep.records.base import hashed_files
from prefsweep.records.merge import MergeRecord
from prefsweep.records.train import TrainRecord
from tests.e2e.jobs import command
from tests.e2e.merge_all import MARK
from tests.e2e.trainer import told_by
from tests.real_project import ROOT, FinishedStudy


@pytest.fixture(scope="module", params=["tied", "untied"])
def merges(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Case → verdict, for a model whose embedding and output are one matrix, and for one where they are two."""
    folder = tmp_path_factory.mktemp(request.param)
    untied = ["--untied"] if request.param == "untied" else []
    make_model = [
        str(python_of("train", "cpu")),
        str(ROOT / "tests" / "tiny_models.py"),
        str(folder / "model"),
        *untied,
    ]
    subprocess.run(make_model, check=True)
    told = told_by("merge_all.py", MARK, str(folder / "model"), str(folder))
    return {"tied": {"tied": request.param == "tied"}} | {one["case"]: one for one in told}


def test_a_merged_model_equals_base_and_adapter_to_a_hundred_thousandth(merges: dict[str, dict[str, Any]]) -> None:
    sound = merges["sound"]
    assert sound["failure"] is None, sound["message"]
    assert sound["parity"] <= 1e-5
    assert sound["change"] > 1e-2


def test_a_stale_merge_and_an_adapter_of_zeros_are_no_merges(merges: dict[str, dict[str, Any]]) -> None:
    found = {case: told["failure"] for case, told in merges.items() if "failure" in told}
    assert found["the base in its place"] == found["an adapter of zeros"] == "no_effect"
    assert found["another run's model in its place"] == "model"
    assert "merged and base + adapter differ by" in merges["another run's model in its place"]["message"]


def test_a_tie_that_is_lost_on_reload_is_seen(merges: dict[str, dict[str, Any]]) -> None:
    told = merges["embeddings that are no longer shared"]
    assert told["failure"] == ("model" if merges["tied"]["tied"] else None)
    if merges["tied"]["tied"]:
        assert "share one matrix, the merged model's are two" in told["message"]


def copied(study: FinishedStudy, method: str, target: Path) -> Path:
    """A copy of a method's run, for a test to change."""
    shutil.copytree(study.run(method), target)
    return target


def refreshed(run: Path, **changes: Any) -> None:
    """Make merge.json vouch for the files that are there now, as a merge that went wrong would have."""
    record = MergeRecord.read(run / "merge.json")
    record.model_copy(update={"model": hashed_files(run / "merged"), **changes}).write(run / "merge.json")


def failed(study: FinishedStudy, stage: str, method: str, run: Path) -> Failure:
    """Run a stage that must fail, and leave nothing that looks like a result."""
    outcome = subprocess.run(
        command(study, stage, method, run),
        env=os.environ | {"PREFSWEEP_ENVS": str(root())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1, outcome.stdout[-4000:]
    return Failure.read(run / f"failure-{stage}.json")


DOUBLE_START = "{{ '<|im_start|>' }}"
SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful AI assistant.<|im_end|>\\n' }}"
    "{% endif %}"
)


@pytest.mark.parametrize(("planted", "place"), [(DOUBLE_START, 1), (SYSTEM, 1)], ids=["double start", "system prompt"])
def test_a_template_that_differs_from_the_trainers_is_refused_before_a_server_starts(
    study: FinishedStudy, tmp_path: Path, planted: str, place: int
) -> None:
    run = copied(study, "dpo", tmp_path / "run")
    template = run / "merged" / "chat_template.jinja"
    template.write_text(planted + template.read_text())
    refreshed(run)
    failure = failed(study, "measure", "dpo", run)
    assert failure.failure == "wrong_model"
    assert f"from token {place} on, the trainer renders it as" in failure.message
    assert "the tokenizer as" in failure.message


def test_another_model_in_the_merged_ones_folder_is_refused_before_a_server_starts(
    study: FinishedStudy, tmp_path: Path
) -> None:
    run = copied(study, "dpo", tmp_path / "run")
    shutil.copy2(study.run("orpo") / "merged" / "model.safetensors", run / "merged")
    failure = failed(study, "measure", "dpo", run)
    assert failure.failure == "wrong_model"
    assert failure.message.startswith("merged/model.safetensors has sha256 ")


def test_a_stale_merge_that_vouches_for_itself_is_found_out_by_its_server(study: FinishedStudy, tmp_path: Path) -> None:
    run = copied(study, "dpo", tmp_path / "run")
    shutil.copy2(study.run("base") / "merged" / "model.safetensors", run / "merged")
    refreshed(run)
    for result in ("generations.jsonl", "throughput.json", "evaluation.json"):
        (run / result).unlink(missing_ok=True)
    failure = failed(study, "measure", "dpo", run)
    assert failure.failure == "wrong_model"
    assert "the server's log-probability of conversation" in failure.message
    assert not list(run.glob("generations.jsonl"))


def test_a_merge_of_an_adapter_of_zeros_fails(study: FinishedStudy, tmp_path: Path) -> None:
    run = copied(study, "dpo", tmp_path / "run")
    blank = (
        "import sys; from safetensors.torch import load_file, save_file; path = sys.argv[1]; found = load_file(path);"
        "save_file({n: v * ('lora_B' not in n) for n, v in found.items()}, path, metadata={'format': 'pt'})"
    )
    adapter = run / "adapter" / "adapter_model.safetensors"
    subprocess.run([str(python_of("train", "cpu")), "-c", blank, str(adapter)], check=True)
    assert failed(study, "merge", "dpo", run).failure == "wrong_model"
    record = TrainRecord.read(run / "train.json")
    record.model_copy(update={"adapter": hashed_files(run / "adapter")}).write(run / "train.json")
    assert failed(study, "merge", "dpo", run).failure == "no_effect"


KILLED_BEFORE_THE_PROOF = """
import os, runpy, signal, sys
script = sys.argv[1]
sys.path.insert(0, os.path.dirname(script))
from prefsweep import merging
merging.prove = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
del sys.argv[0]
runpy.run_path(script, run_name="__main__")
"""
"""A merge that is killed when its weights are written and not yet proved."""


def test_a_killed_merge_is_done_again_to_the_same_bytes(study: FinishedStudy, tmp_path: Path) -> None:
    run = copied(study, "dpo", tmp_path / "run")
    shutil.rmtree(run / "merged")
    (run / "merge.json").unlink()
    environment = os.environ | {"PREFSWEEP_ENVS": str(root())}
    log = (tmp_path / "log").open("w")
    python, *arguments = command(study, "merge", "dpo", run)
    killed = [python, "-c", KILLED_BEFORE_THE_PROOF, *arguments]
    first = subprocess.run(killed, env=environment, stdout=log, stderr=log, check=False)
    assert first.returncode == -signal.SIGKILL, (tmp_path / "log").read_text()[-3000:]
    assert list(run.glob(".merged.*/*.safetensors"))
    assert not (run / "merged").exists()
    assert not (run / "merge.json").exists()
    second = subprocess.run([python, *arguments], env=environment, stdout=log, stderr=log, check=False)
    assert second.returncode == 0, (tmp_path / "log").read_text()[-3000:]
    assert MergeRecord.read(run / "merge.json").model == MergeRecord.read(study.run("dpo") / "merge.json").model
    assert not list(run.glob(".merged.*"))
