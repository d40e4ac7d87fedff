"""Before an adapter counts."""

from prefsweep.failures import StageError
from prefsweep.records.train import TrainRecord

_FIRST_LOSS_TOLERANCE = {"float32": 1e-3, "bfloat16": 2e-2}


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
    if expected is not None and (found is None or abs(found - expected) > _FIRST_LOSS_TOLERANCE[precision]):
        raise StageError(
            "model",
            f"the first loss is {found}, theory gives {expected:.6f} for an untrained adapter",
            "The reference is not the base model: check the model's files and the LoRA settings.",
        )
    if record.adapter_norm == 0:
        raise StageError("no_effect", "every LoRA B matrix is zero after training")
