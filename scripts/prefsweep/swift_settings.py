"""From canonical settings to the settings file `swift rlhf` reads: the only place that knows ms-swift's flag names.

Every default that would make methods differ unnoticed is set explicitly; `docs/engines.md` says what each one guards
against.
"""

import json
from pathlib import Path
from typing import Any

from prefsweep.engine_arguments import own_arguments
from prefsweep.methods import Method
from prefsweep.plan import Device
from prefsweep.tracking import tracking_arguments

_SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
"""The engine's `constant` is without the warm-up it was asked for, and does not say so."""


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
    tracking: Path,
    device: Device,
) -> dict[str, Any]:
    """The complete settings file of one run, ready for `swift rlhf FILE`.

    `rows` and `heldout` are data files in ms-swift's own form, `output` the folder of the checkpoints, `tracking` that
    of training curves. Arguments that the study passes on come last: where they are allowed, they take precedence."""
    per_device = rows_per_forward_pass(method, settings)
    accumulated = rows_per_step(method, settings) // (per_device * int(settings["gpus"]))
    return {
        **method.engine_flags(settings),
        "model": str(model),
        "model_type": model_type,
        "template": template,
        "check_model": False,
        "torch_dtype": settings["precision"],
        "bf16": settings["precision"] == "bfloat16",
        "fp16": False,  # what float32 weights would get on a GPU otherwise
        "attn_impl": settings["attention"],
        "tuner_type": "lora",
        "target_modules": ["all-linear"],
        "lora_rank": settings["lora_rank"],
        "lora_alpha": settings["lora_alpha"],
        "lora_dropout": settings["lora_dropout"],
        "dataset": [str(rows)],
        "split_dataset_ratio": 0,
        "strict": True,
        "remove_unused_columns": False,  # rows keep their ids, by which those that were trained on are counted
        "dataset_num_proc": 1,
        "dataloader_num_workers": 0,
        "max_length": settings["max_length"],
        # Rows are no longer than that, but KTO's estimate of the KL divergence puts one row's answer behind another's
        # prompt: what is too long is cut there, as TRL does. A pair that is too long must stop the run.
        "truncation_strategy": "right" if method.data == "labelled" else "delete",
        "loss_scale": "last_round",
        "num_train_epochs": settings["epochs"],
        "per_device_train_batch_size": per_device,
        "gradient_accumulation_steps": accumulated,
        "gradient_checkpointing": settings["gradient_checkpointing"],
        "learning_rate": settings["learning_rate"],
        "lr_scheduler_type": _SCHEDULERS[settings["scheduler"]],
        "warmup_ratio": settings["warmup_ratio"],
        "weight_decay": settings["weight_decay"],
        "max_grad_norm": settings["max_grad_norm"],
        "seed": seed,
        "data_seed": seed,
        **_cadence(settings, per_device, heldout),
        **_parallel(settings, device),
        "output_dir": str(output),
        "add_version": False,
        **tracking_arguments(own_arguments(settings), tracking),
        **own_arguments(settings),
    }


def check_batches(settings: dict[str, Any]) -> None:
    """Raise ValueError when GPUs × micro batch do not divide the batch, or one GPU is to share with nobody."""
    batch, gpus, micro = settings["batch_size"], settings["gpus"], settings["micro_batch_size"]
    if batch % (gpus * (micro or 1)):
        of_gpus = (
            f"{gpus} GPUs" + f" × micro_batch_size {micro}" * bool(micro) if gpus > 1 else f"micro_batch_size {micro}"
        )
        raise ValueError(f"{of_gpus} does not divide batch_size {batch}; choose a divisor")
    if settings["deepspeed"] and gpus == 1:
        raise ValueError(f"deepspeed {settings['deepspeed']} divides a run among GPUs; set gpus to 2 or more")


def rows_per_forward_pass(method: Method, settings: dict[str, Any]) -> int:
    """Those of `micro_batch_size`, or the next larger part of the batch that has as many as the method needs."""
    rows = rows_per_step(method, settings) // int(settings["gpus"])
    rows_per_pair = rows_per_step(method, settings) // int(settings["batch_size"])
    micro = settings["micro_batch_size"]
    smallest = max(rows_per_pair * int(micro) if micro else rows, min(method.forward_rows, rows))
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


def _parallel(settings: dict[str, Any], device: Device) -> dict[str, Any]:
    flags: dict[str, Any] = {"deepspeed": settings["deepspeed"]} if settings["deepspeed"] else {}
    if device == "cpu":
        flags["use_cpu"] = True  # or bfloat16 is refused
    if device == "cpu" and settings["gpus"] > 1:
        # Unless told so, processes train on their shares of the rows alone, without a word: no gradients are summed.
        flags["ddp_backend"] = "gloo"
    return flags


def as_arguments(settings: dict[str, Any]) -> list[str]:
    """The same settings as command-line arguments, in the form `swift rlhf` itself expands its file to."""
    arguments = []
    for flag, value in settings.items():
        arguments.append(f"--{flag}")
        values = value if isinstance(value, list) else [value]
        arguments += [json.dumps(item) if isinstance(item, dict) else str(item) for item in values]
    return arguments
