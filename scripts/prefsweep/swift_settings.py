"""From canonical settings to the settings file `swift rlhf` reads: the only place that knows ms-swift's flag names.

Every default that would make methods differ unnoticed is set explicitly; `docs/engines.md` says what each one guards
against.
"""

from pathlib import Path
from typing import Any

from prefsweep.methods import Method

_SMALLEST_KTO_BATCH = 4
"""ms-swift estimates KTO's KL from mismatched answers within a forward pass; with fewer rows it sticks at zero."""


def rows_per_step(method: Method, settings: dict[str, Any]) -> int:
    """Dataset rows of one optimiser step: pairs, or twice as many labelled rows, so that sequences agree."""
    return int(settings["batch_size"]) * (2 if method.data == "labelled" else 1)


def expected_steps(method: Method, settings: dict[str, Any], rows: int) -> int:
    """Optimiser steps over `rows` rows of the method's own form, the last partial batch included."""
    return -(-rows // rows_per_step(method, settings)) * int(settings["epochs"])


def swift_settings(
    method: Method,
    settings: dict[str, Any],
    *,
    seed: int,
    model: Path,
    model_type: str,
    template: str,
    rows: Path,
    heldout: Path,
    output: Path,
) -> dict[str, Any]:
    """The complete settings file of one run, ready for `swift rlhf FILE`.

    `rows` and `heldout` are data files in ms-swift's own form, `output` the folder of the checkpoints."""
    per_device = _rows_per_forward_pass(method, settings)
    return {
        **method.engine_flags(settings),
        "model": str(model),
        "model_type": model_type,
        "template": template,
        "check_model": False,
        "torch_dtype": settings["precision"],
        "tuner_type": "lora",
        "target_modules": ["all-linear"],
        "lora_rank": settings["lora_rank"],
        "lora_alpha": settings["lora_alpha"],
        "lora_dropout": settings["lora_dropout"],
        "dataset": [str(rows)],
        "split_dataset_ratio": 0,
        "strict": True,
        "dataset_num_proc": 1,
        "dataloader_num_workers": 0,
        "max_length": settings["max_length"],
        # Rows are no longer than that, but KTO's estimate of the KL divergence puts one row's answer behind another's
        # prompt: what is too long is cut there, as TRL does. A pair that is too long must stop the run.
        "truncation_strategy": "right" if method.data == "labelled" else "delete",
        "loss_scale": "last_round",
        "num_train_epochs": settings["epochs"],
        "per_device_train_batch_size": per_device,
        "gradient_accumulation_steps": rows_per_step(method, settings) // per_device,
        "gradient_checkpointing": settings["gradient_checkpointing"],
        "learning_rate": settings["learning_rate"],
        "lr_scheduler_type": settings["scheduler"],
        "warmup_ratio": settings["warmup_ratio"],
        "weight_decay": settings["weight_decay"],
        "max_grad_norm": settings["max_grad_norm"],
        "seed": seed,
        "data_seed": seed,
        **_cadence(settings, per_device, heldout),
        "report_to": ["none"],
        "output_dir": str(output),
        "add_version": False,
    }


def check_batches(settings: dict[str, Any]) -> None:
    """Raise ValueError when the micro batch does not divide the batch."""
    batch, micro = settings["batch_size"], settings["micro_batch_size"]
    if micro and batch % micro:
        raise ValueError(f"micro_batch_size {micro} does not divide batch_size {batch}; choose a divisor")


def _rows_per_forward_pass(method: Method, settings: dict[str, Any]) -> int:
    batch = int(settings["batch_size"])
    micro = int(settings["micro_batch_size"] or batch)
    if method.data == "pairs":
        return micro
    rows = 2 * batch
    smallest = max(2 * micro, min(_SMALLEST_KTO_BATCH, rows))
    return next(size for size in range(smallest, rows + 1) if rows % size == 0)


def _cadence(settings: dict[str, Any], per_device: int, heldout: Path) -> dict[str, Any]:
    cadence: dict[str, Any] = {
        "logging_steps": settings["logging_steps"],
        "logging_first_step": True,
        "save_strategy": "steps",
        "save_steps": settings["save_steps"] or 1_000_000,
        "save_total_limit": settings["keep_checkpoints"],
        "eval_strategy": "no",
    }
    if settings["eval_steps"]:
        cadence |= {
            "eval_strategy": "steps",
            "eval_steps": settings["eval_steps"],
            "val_dataset": [str(heldout)],
            "per_device_eval_batch_size": per_device,
        }
    return cadence


def as_arguments(settings: dict[str, Any]) -> list[str]:
    """The same settings as command-line arguments, in the form `swift rlhf` itself expands its file to."""
    arguments = []
    for flag, value in settings.items():
        arguments.append(f"--{flag}")
        arguments += [str(item) for item in value] if isinstance(value, list) else [str(value)]
    return arguments
