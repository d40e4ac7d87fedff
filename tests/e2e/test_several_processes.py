"""A run on several devices, here processes of the CPU: DDP and ZeRO change where it is computed, not what it is."""

import pytest

from prefsweep.records.base import read_document
from prefsweep.records.train import TrainRecord
from tests.real_project import FinishedStudy, RealProject

COMMON = """\
model: {path: model, model_type: llama, template: chatml}
dataset: {path: pairs.jsonl, heldout: heldout.jsonl}
device: cpu
train:
  learning_rate: 1.0e-2
  lora_dropout: 0.0
  batch_size: 8
  max_length: 200
  precision: float32
  gradient_checkpointing: true
"""
DDP = "study: ddp\nmethods: {dpo: , orpo: , kto: }\n" + COMMON + "  gpus: [1, 2]\n"
ZERO = "study: zero\nmethods: {dpo: }\n" + COMMON + "  gpus: 2\n  deepspeed: [zero2, zero3]\n"


def trained(study: FinishedStudy) -> dict[tuple[str, object], TrainRecord]:
    """(Method, what is swept) → record."""
    assert study.returncode == 0, study.output[-6000:]
    found = {}
    for path in study.directory.glob("runs/*/seed-0/train.json"):
        settings = read_document(path.with_name("run.json"))["settings"]
        method = path.parents[1].name.partition("-")[0]
        found[method, settings["deepspeed"] or settings["gpus"]] = TrainRecord.read(path)
    return found


@pytest.fixture(scope="module")
def ddp(tiny: RealProject) -> dict[tuple[str, object], TrainRecord]:
    return trained(tiny.run(DDP, "--until", "train"))


# ORPO's likelihood is a mean over the tokens of a forward pass, and two passes of unequal length weigh as much.
@pytest.mark.parametrize(("method", "tolerance"), [("dpo", 1e-4), ("orpo", 5e-3)])
def test_two_processes_take_the_steps_of_one(
    ddp: dict[tuple[str, object], TrainRecord], method: str, tolerance: float
) -> None:
    one, two = ddp[method, 1], ddp[method, 2]
    assert two.sequences == one.sequences == 32
    assert two.tokens == one.tokens
    assert two.steps == one.steps == len(two.history) == 2
    for ours, theirs in zip(two.history, one.history, strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=tolerance)
        assert ours.grad_norm == pytest.approx(theirs.grad_norm, rel=10 * tolerance)


def test_kto_estimates_its_kl_from_each_processes_own_rows(ddp: dict[tuple[str, object], TrainRecord]) -> None:
    one, two = ddp["kto", 1], ddp["kto", 2]
    assert two.sequences == one.sequences == 32
    assert two.history[0].loss == pytest.approx(0.5, abs=1e-4)
    assert two.history[1].loss == pytest.approx(one.history[1].loss, rel=0.05)


def test_zero_takes_the_same_steps(tiny: RealProject, ddp: dict[tuple[str, object], TrainRecord]) -> None:
    expected = [step.loss for step in ddp["dpo", 1].history]
    for (_, stage), record in trained(tiny.run(ZERO, "--until", "train")).items():
        assert [step.loss for step in record.history] == pytest.approx(expected, rel=1e-4), stage
        assert record.adapter_norm == pytest.approx(ddp["dpo", 1].adapter_norm, rel=1e-4), stage
