"""bfloat16 training, merging and serving on a real GPU; `make test-gpu` leaves benchmarks/results/gpu.json."""

import math
from statistics import median

import pytest

from benchmarks.record import record
from prefsweep.records.base import read_document
from prefsweep.records.measure import Throughput
from prefsweep.records.merge import MergeRecord
from prefsweep.records.train import TrainRecord
from tests.real_project import FinishedStudy, RealProject

METHODS = ("dpo", "orpo", "simpo", "kto", "cpo")
ARMS = ("base", *METHODS)
TWO_GPUS = """\
study: two-gpus
model: smollm2-135m-instruct
dataset: emoji-en
device: cuda
methods: {dpo: {learning_rate: 2.0e-4, gpus: 2, deepspeed: [null, zero2, zero3]}}
train: {batch_size: 4, max_length: 512, lora_dropout: 0.0, precision: bfloat16}
generate: {max_tokens: 64, concurrency: [8], repeats: 1, tensor_parallel: 2, gpu_memory_utilization: 0.5}
"""


def test_the_study_finishes(study: FinishedStudy) -> None:
    assert study.returncode == 0, study.output[-6000:]


@pytest.mark.parametrize("method", METHODS)
def test_training_is_in_bfloat16_on_the_gpu(study: FinishedStudy, method: str) -> None:
    trained = TrainRecord.read(study.run(method) / "train.json")
    settings = read_document(study.run(method) / "settings.json")
    assert (settings["torch_dtype"], settings["bf16"]) == ("bfloat16", True)
    assert trained.memory_kind == "cuda_allocated"
    assert trained.steps == trained.expected_steps == 36
    assert all(step.loss is not None for step in trained.history)


def test_first_losses_are_what_theory_gives(study: FinishedStudy) -> None:
    first = {method: TrainRecord.read(study.run(method) / "train.json").history[0].loss for method in METHODS}
    assert first["dpo"] == pytest.approx(math.log(2), abs=2e-2)
    assert first["kto"] == pytest.approx(0.5, abs=2e-2)


@pytest.mark.parametrize("arm", ARMS)
def test_merged_models_are_served_with_cuda_graphs(study: FinishedStudy, arm: str) -> None:
    merged = MergeRecord.read(study.run(arm) / "merge.json")
    served = Throughput.read(study.run(arm) / "throughput.json")
    assert arm == "base" or merged.change_max_abs_logit_difference
    assert "--enforce-eager" not in served.server_argv
    assert {timed.concurrency for timed in served.passes} == {1, 8, 32}


def test_what_it_cost_is_written_down(study: FinishedStudy) -> None:
    figures: dict[str, float] = {}
    for method in METHODS:
        trained = TrainRecord.read(study.run(method) / "train.json")
        steady = [step.seconds for step in trained.history[5:]]  # the first ones also warm up
        figures[f"{method}_step_seconds"] = median(steady)
        figures[f"{method}_peak_memory_bytes"] = trained.peak_memory_bytes
        figures[f"{method}_train_total_seconds"] = trained.total_seconds
    for arm in ARMS:
        served = Throughput.read(study.run(arm) / "throughput.json")
        figures[f"{arm}_server_ready_seconds"] = served.ready_seconds
        for concurrency in (1, 8, 32):
            speeds = [p.output_tokens_per_second for p in served.passes if p.concurrency == concurrency]
            figures[f"{arm}_output_tokens_per_second_at_{concurrency}"] = median(speeds)
    assert all(math.isfinite(value) and value > 0 for value in figures.values())
    record("gpu", figures)


@pytest.mark.gpus(2)
def test_two_gpus_train_one_run_and_serve_one_model(project: RealProject) -> None:
    study = project.run(TWO_GPUS, "--resources", "gpu=2")
    assert study.returncode == 0, study.output[-6000:]
    records = [TrainRecord.read(path) for path in study.directory.glob("runs/dpo-*/seed-0/train.json")]
    assert len(records) == 3
    for trained in records:
        assert trained.sequences == 288
        assert trained.history[0].loss == pytest.approx(math.log(2), abs=2e-2)
        assert trained.history[-1].loss == pytest.approx(records[0].history[-1].loss, rel=0.1)
    (served, *_) = study.directory.glob("runs/dpo-*/seed-0/throughput.json")
    assert "--tensor-parallel-size" in Throughput.read(served).server_argv
