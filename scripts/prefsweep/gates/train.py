"""Before an adapter counts."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from prefsweep.failures import StageError
from prefsweep.records.train import TrainRecord
from prefsweep.schedule import asked_learning_rate

_FIRST_LOSS_TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2}
"""Of losses up to 1, and as a share of larger ones: IPO's and SPPO's are squares."""


def check_rows(counts: Mapping[str, int], expected: Collection[str], epochs: int, *, whole: bool = True) -> None:
    """Before an adapter counts: every prepared row was trained on in every epoch, and no other ever.

    A row can have been used more often: to fill the last batch of an epoch on several GPUs. Of a run that ends at a
    rung, which is no `whole` one, only the latter can be asked. Raises StageError("data") that names rows.
    """
    missed = sorted(name for name in expected if counts.get(name, 0) < epochs) if whole else []
    strange = sorted(counts.keys() - set(expected))
    for names, what in ((missed, f"were not trained on in each of {epochs} epochs"), (strange, "were never prepared")):
        if names:
            raise StageError("data", f"{len(names)} rows {what}: {', '.join(names[:5])}{' …' * (len(names) > 5)}")


def check_training(record: TrainRecord, precision: str) -> None:
    """Before an adapter counts: all rows, all steps, the theory's first loss, something learnt.

    Raises StageError with the expected and the found value.
    """
    if record.rows != record.expected_rows:
        raise StageError("data", f"the engine trained on {record.rows} rows, {record.expected_rows} were prepared")
    if record.steps != record.expected_steps:
        raise StageError(
            "data", f"the engine made {record.steps} optimiser steps, {record.expected_steps} were expected"
        )
    found, expected = record.history[0].loss, record.expected_first_loss
    tolerance = _FIRST_LOSS_TOLERANCE[precision] * max(1.0, expected or 0.0)
    if expected is not None and (found is None or abs(found - expected) > tolerance):
        raise StageError(
            "model",
            f"the first loss is {found}, theory gives {expected:.6f} for an untrained adapter",
            "The reference is not the base model: check the model's files and the LoRA settings.",
        )
    if record.adapter_norm == 0:
        raise StageError("no_effect", "every LoRA B matrix is zero after training")


def check_schedule(record: TrainRecord, settings: Mapping[str, Any], steps: int) -> None:
    """Before an adapter counts: every logged step was made with the learning rate that the study asks for.

    `steps` are those of the whole run: one that ends at a rung has its schedule. Raises StageError("internal") with
    both rates: the engine was told, or understood, something else.
    """
    for step in record.history:
        asked = asked_learning_rate(settings, step.step, steps)
        if not math.isclose(step.learning_rate, asked, rel_tol=1e-6, abs_tol=1e-9 * settings["learning_rate"]):
            raise StageError(
                "internal",
                f"step {step.step} of {steps} was made with learning rate {step.learning_rate:.6g}; a "
                f"{settings['scheduler']} schedule to {settings['learning_rate']:g} with warmup_ratio "
                f"{settings['warmup_ratio']:g} asks for {asked:.6g}",
            )
