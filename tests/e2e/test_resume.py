"""A training that was killed goes on from its last whole checkpoint and ends, bit for bit, as if it had never been.

What it is held against is a training whose engine was loaded for it alone; its own are forks.
"""

import shutil
import threading
import time
from pathlib import Path

import psutil

from prefsweep.files import sha256_of
from prefsweep.records.train import TrainRecord
from tests.real_project import RealProject

STUDY = """\
study: resumed
model: {path: model, model_type: llama, template: chatml}
dataset: {path: pairs.jsonl, heldout: heldout.jsonl}
device: cpu
methods: {dpo: }
train: {learning_rate: 1.0e-2, batch_size: 4, epochs: 30, save_steps: 5, max_length: 200, precision: float32}
"""
STEPS, SAVED_STEPS = 120, 5
HANGING_SECONDS = 600


def kill_trainer(project: Path) -> None:
    """SIGKILL for the trainer as soon as it has saved for the fourth time, and cut short what it saved last."""
    deadline = time.monotonic() + HANGING_SECONDS
    while not (seals := list(project.glob("results/resumed/runs/*/*/training/checkpoints/checkpoint-20.json"))):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for process in psutil.process_iter(["name", "cwd"]):
        if process.info["cwd"] == str(project) and process.info["name"] == "fit.py":
            process.kill()
    latest = max(seals[0].parent.glob("checkpoint-*/"), key=lambda folder: int(folder.name.partition("-")[2]))
    (latest / "trainer_state.json").unlink(missing_ok=True)


def test_a_killed_training_is_resumed_and_flagged(tiny: RealProject) -> None:
    whole = tiny.run(STUDY, "--until", "train", PREFSWEEP_FORKS="0")
    assert whole.returncode == 0, whole.output[-6000:]
    record, adapter = trained(whole.run("dpo"))
    assert record.resumed_at_steps == []
    shutil.rmtree(whole.directory)

    killer = threading.Thread(target=kill_trainer, args=(tiny.directory,))
    killer.start()
    killed = tiny.run(STUDY, "--until", "train")
    killer.join()
    assert killed.returncode == 1, killed.output[-6000:]
    assert not (killed.run("dpo") / "train.json").exists()

    again = tiny.run(STUDY, "--until", "train")
    assert again.returncode == 0, again.output[-6000:]
    resumed, same_adapter = trained(again.run("dpo"))
    (step,) = resumed.resumed_at_steps
    assert step % SAVED_STEPS == 0
    assert 15 <= step < STEPS
    assert [one.step for one in resumed.history] == list(range(1, STEPS + 1))
    assert [one.loss for one in resumed.history] == [one.loss for one in record.history]
    counted = {"steps", "sequences", "tokens", "rows", "row_ids_sha256", "adapter_norm"}
    assert resumed.model_dump(include=counted) == record.model_dump(include=counted)
    assert same_adapter == adapter


def trained(run: Path) -> tuple[TrainRecord, str]:
    """The record, and the hash of the weights."""
    return TrainRecord.read(run / "train.json"), sha256_of(run / "adapter" / "adapter_model.safetensors")
