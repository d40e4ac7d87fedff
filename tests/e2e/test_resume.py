"""What was killed goes on where it was: a training from its last whole checkpoint, answers at the next prompt.

A training ends, bit for bit, as if it had never been killed. What it is held against is one whose engine was loaded for
it alone; its own are forks.
"""

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import psutil

from prefsweep.environments import root
from prefsweep.files import sha256_of
from prefsweep.kept_answers import KeptAnswer
from prefsweep.plan import Plan
from prefsweep.records.measure import Generation, Throughput
from prefsweep.records.train import TrainRecord
from tests.e2e.jobs import command
from tests.real_project import FinishedStudy, RealProject

STUDY = """\
study: resumed
model: {path: model, model_type: llama, template: chatml}
dataset: {path: pairs.jsonl, heldout: heldout.jsonl}
device: cpu
methods: {dpo: }
train: {learning_rate: 1.0e-2, batch_size: 4, epochs: 30, save_steps: 5, max_length: 200, precision: float32}
"""
STEPS, SAVED_STEPS = 120, 5
LONG_ANSWER_TOKENS = 900
"""Of the tiny model: seconds."""
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


def test_killed_answers_are_kept_and_the_rest_asked_for_by_a_real_server(study: FinishedStudy, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(study.run("dpo"), run)
    for result in ("generations.jsonl", "throughput.json", "evaluation.json"):
        (run / result).unlink()
    plan = Plan.read(study.directory / "plan.json")
    longer = plan.generate.model_copy(update={"max_tokens": LONG_ANSWER_TOKENS})
    plan.model_copy(update={"generate": longer}).write(tmp_path / "plan.json")
    kept = run / "measuring" / "answers.jsonl"
    job = [*command(study, "measure", "dpo", run), "--plan", str(tmp_path / "plan.json")]
    environment = os.environ | {"PREFSWEEP_ENVS": str(root())}
    with (tmp_path / "log").open("wb") as log:
        first = subprocess.Popen(job, env=environment, stdout=log, stderr=log)
        while not kept.exists() or len(kept.read_bytes().splitlines()) < 4:  # the first is no answer
            assert first.poll() is None, (tmp_path / "log").read_text()[-3000:]
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.wait()
        lines = [line for line in kept.read_text().splitlines(keepends=True)[1:] if line.endswith("\n")]
        answered = [KeptAnswer.model_validate_json(line).generation for line in lines]
        second = subprocess.run(job, env=environment, stdout=log, stderr=log, check=False)
    assert second.returncode == 0, (tmp_path / "log").read_text()[-3000:]
    answers = {one.prompt: one for one in Generation.read_rows(run / "generations.jsonl")}
    assert 3 <= len(answered) < len(answers) == 9
    assert [answers[one.prompt] for one in answered] == answered
    measured = Throughput.read(run / "throughput.json")
    assert measured.resumed_at_answers == [len(answered)]
    assert measured.natural_wall_seconds is None
    assert len(measured.passes) == 2 * 2
    assert not kept.parent.exists()
