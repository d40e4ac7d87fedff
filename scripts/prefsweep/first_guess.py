"""What runs may cost before any has finished: arithmetic over model and data, with the constants of plain machines.

A guess within a factor of a few, meant to tell minutes from days. Operations per token are those of Kaplan et al. 2020
(arXiv:2001.08361): 2 per parameter forwards, 4 backwards. The CPU's constants follow from the demo on two cores
(README.md), a GPU's are assumed: an A100 as such jobs use it, at about a sixth of its peak.
"""

import os
from dataclasses import dataclass
from typing import Any

from prefsweep.methods import Method
from prefsweep.model_size import BYTES, ModelSize
from prefsweep.plan import Device, GenerateSettings


@dataclass(frozen=True)
class Machine:
    """What a stage needs to know of the hardware."""

    operations_per_second: float
    """Of a GPU, or of one core."""
    bytes_per_second: float
    """Of memory, which limits how fast answers are written."""
    train_start_seconds: float
    merge_start_seconds: float
    serve_start_seconds: float
    evaluate_start_seconds: float
    drift_start_seconds: float


_MACHINES: dict[Device, Machine] = {
    "cpu": Machine(
        operations_per_second=1e11,
        bytes_per_second=1.4e10,
        train_start_seconds=20,
        merge_start_seconds=20,
        serve_start_seconds=35,
        evaluate_start_seconds=15,
        drift_start_seconds=10,
    ),
    "cuda": Machine(
        operations_per_second=5e13,
        bytes_per_second=1e12,
        train_start_seconds=40,
        merge_start_seconds=30,
        serve_start_seconds=60,
        evaluate_start_seconds=20,
        drift_start_seconds=20,
    ),
}
_MOST_CORES = 4
"""That one training uses."""
_FLOAT32_SLOWER = 4
"""On a GPU, whose tensor cores it does not use."""
_DISK_BYTES_PER_SECOND = 5e8
_LIBRARIES_BYTES = 6e8
_CAUTION = 1.5
"""What a guess of memory is multiplied by: too much costs time, too little the run."""
_LOGITS_KEPT = 4
"""Arrays of a number for every token and word of the vocabulary: logits, log-probabilities, and a gradient of each."""
_MERGE_PASSES = 4
"""Times a merge reads or writes all weights: export, and three models whose logits are compared."""
_CONCURRENCY_POWER = 0.9
"""Tokens per second grow with requests at a time to this power: 50 to 320 from 1 to 8 in the demo."""


def train_seconds(size: ModelSize, method: Method, settings: dict[str, Any], tokens: float, device: Device) -> float:
    """Wall seconds to train on so many tokens of the policy's, start-up included."""
    work: float = size.parameters * tokens * _operations(method, settings)
    speed = _speed(device, settings["precision"]) * int(settings["gpus"])
    return _MACHINES[device].train_start_seconds + work / speed


def train_bytes(size: ModelSize, settings: dict[str, Any], tokens: int) -> float:
    """Main memory of a training whose forward pass has so many tokens: weights, activations, logits.

    Of activations it keeps what goes in and out of each adapted matrix. Of the demo's it says 3.8 GB: they took 3.2 to
    3.4.
    """
    number = BYTES[settings["precision"]]
    activations = tokens * size.adapted_rows_and_columns * number
    logits = _LOGITS_KEPT * tokens * size.vocabulary * BYTES["float32"]
    return _CAUTION * (_LIBRARIES_BYTES + size.parameters * number + activations + logits)


def drift_bytes(size: ModelSize) -> float:
    """Main memory of a comparison: two models in float32; of one answer at a time little is kept."""
    return _CAUTION * (_LIBRARIES_BYTES + 2 * size.parameters * BYTES["float32"])


def _operations(method: Method, settings: dict[str, Any]) -> float:
    """Per parameter and token: a reference model, and KTO's KL estimate under both models, are passes forwards."""
    forwards: int = 1 + method.reference + 2 * (method.data == "labelled") + bool(settings["gradient_checkpointing"])
    return 2 * forwards + 4


def merge_seconds(size: ModelSize, precision: str, device: Device) -> float:
    """Wall seconds to merge an adapter, or to export the base, and to compare logits."""
    return _MACHINES[device].merge_start_seconds + _MERGE_PASSES * size.merged_bytes(precision) / _DISK_BYTES_PER_SECOND


def measure_seconds(
    size: ModelSize, generate: GenerateSettings, prompts: int, sequence_tokens: float, device: Device
) -> float:
    """Wall seconds to serve a model, have it answer and be timed, and score the answers of so many held-out prompts."""
    machine = _MACHINES[device]
    weights = size.parameters * BYTES[generate.precision]
    alone = machine.bytes_per_second * generate.tensor_parallel / weights
    speeds = {level: alone * float(level**_CONCURRENCY_POWER) for level in generate.concurrency}
    answering = prompts * generate.max_tokens / max(speeds.values())
    requests = sum(generate.requests_of_a_pass(level) / speed for level, speed in speeds.items())
    timing = generate.repeats * generate.timed_tokens * requests
    scored = 2 * prompts * sequence_tokens * 2 * size.parameters
    scoring = scored / (_speed(device, generate.precision) * generate.tensor_parallel)
    return machine.serve_start_seconds + answering + timing + machine.evaluate_start_seconds + scoring


def drift_seconds(
    size: ModelSize, generate: GenerateSettings, prompts: int, sequence_tokens: float, device: Device
) -> float:
    """Wall seconds for a model and the base to read so many held-out prompts, each with an answer of full length."""
    tokens = prompts * (sequence_tokens + generate.max_tokens)
    work = 2 * tokens * 2 * size.parameters
    return _MACHINES[device].drift_start_seconds + work / _speed(device, "float32")


def judge_seconds(
    size: ModelSize, generate: GenerateSettings, input_tokens: int, output_tokens: int, device: Device
) -> float:
    """Wall seconds to serve a judge, as `generate` says, and have it read and write so many tokens in all."""
    machine = _MACHINES[device]
    alone = machine.bytes_per_second * generate.tensor_parallel / (size.parameters * BYTES[generate.precision])
    writing = output_tokens / (alone * float(max(generate.concurrency) ** _CONCURRENCY_POWER))
    reading = 2 * size.parameters * input_tokens / (_speed(device, generate.precision) * generate.tensor_parallel)
    return machine.serve_start_seconds + reading + writing


def _speed(device: Device, precision: str) -> float:
    """Operations per second."""
    one = _MACHINES[device].operations_per_second
    if device == "cpu":
        return one * min(len(os.sched_getaffinity(0)), _MOST_CORES)
    return one / (_FLOAT32_SLOWER if precision == "float32" else 1)
