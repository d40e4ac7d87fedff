"""One LoRA by ms-swift, in this process, with every step recorded and nothing counted that did not really train.

Several such processes, one for each GPU, are one run under torchrun: each counts what it saw, the first one reports.
ms-swift hides non-finite losses from its logs and skips updates whose gradients are not a number; here every forward
pass and every step is looked at, logged or not, and the first value that is not finite stops the run.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import load_file
from swift.pipelines.train.rlhf import SwiftRLHF
from transformers import TrainerCallback

from prefsweep.checkpoints import fit_until, seal
from prefsweep.failures import StageError
from prefsweep.memory import peak_memory
from prefsweep.records.train import Fit, TrainStep


class _Recorder(TrainerCallback):  # type: ignore[misc]
    """Collects what the engine logs, and the learning rate that each step really was made with.

    The rate that the engine logs is already the next step's. After step `until`, if one is given, the run ends with a
    checkpoint to continue from, under the schedule of the whole run.
    """

    def __init__(self, until: int | None, on_checkpoint: Callable[[Path, int], None]) -> None:
        self.until = until
        self.on_checkpoint = on_checkpoint
        self.history: list[TrainStep] = []
        self._started = self._last = 0.0
        self._ended: float | None = None
        self._learning_rate = 0.0

    @property
    def seconds(self) -> float:
        """Of the optimisation, until now or its end."""
        return (self._ended or time.perf_counter()) - self._started

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._started = self._last = time.perf_counter()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        self._ended = time.perf_counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, optimizer: Any = None, **__: Any) -> None:
        self._learning_rate = float(optimizer.param_groups[0]["lr"])

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.until:
            control.should_save = control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.on_checkpoint(Path(args.output_dir) / f"checkpoint-{state.global_step}", state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **__: Any) -> None:
        if not logs or "loss" not in logs:
            return
        now = time.perf_counter()
        self.history.append(_train_step(state.global_step, logs, self._learning_rate, now - self._last))
        self._last = now


def _train_step(step: int, logs: dict[str, Any], learning_rate: float, seconds: float) -> TrainStep:
    def number(key: str) -> float | None:
        value = logs.get(key, math.nan)
        return float(value) if math.isfinite(float(value)) else None

    return TrainStep(
        step=step,
        epoch=float(logs["epoch"]),
        loss=number("loss"),
        grad_norm=number("grad_norm"),
        learning_rate=learning_rate,
        reward_margin=number("rewards/margins"),
        reward_accuracy=number("rewards/accuracies"),
        chosen_reward=number("rewards/chosen"),
        rejected_reward=number("rewards/rejected"),
        chosen_log_prob=number("logps/chosen"),
        rejected_log_prob=number("logps/rejected"),
        kl=number("kl"),
        seconds=seconds,
    )


@dataclass
class _Counter:
    """What went through the policy: rows by their ids, sequences, tokens."""

    rows: Counter[str] = field(default_factory=Counter)
    sequences: int = 0
    tokens: int = 0

    def add(self, batch: dict[str, Any]) -> None:
        """Count a batch, and take the ids out of it, which the engine does not know."""
        self.rows.update(batch.pop("id"))
        for name, value in batch.items():
            if name.endswith("input_ids") and "KL" not in name and isinstance(value, torch.Tensor):
                self.sequences += value.shape[0]
            if name.endswith("attention_mask") and "KL" not in name and isinstance(value, torch.Tensor):
                self.tokens += int(value.sum())


class RecordedRLHF(SwiftRLHF):  # type: ignore[misc]
    """`swift rlhf` with a recorder on its trainer; settings, data and optimisation are the engine's own."""

    def __init__(self, arguments: list[str], until: int | None) -> None:
        super().__init__(arguments)
        self.recorder = _Recorder(until, self._seal)
        start = self.args.resume_from_checkpoint
        self.earlier = fit_until(Path(start)) if start else None

    def train(self, trainer: Any) -> Any:
        self.counter = _Counter()
        self.trained_rows = len(trainer.train_dataset)
        self.trainable = sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
        trainer.add_callback(self.recorder)
        training_step, prediction_step = trainer.training_step, trainer.prediction_step
        gradient_norm = trainer._get_grad_norm

        def checked_step(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            self.counter.add(inputs)
            loss = training_step(model, inputs, *args, **kwargs)
            if not torch.isfinite(loss).all():
                raise StageError("nan", f"step {trainer.state.global_step + 1}: the loss is {loss.item()}")
            return loss

        def checked_norm(*args: Any, **kwargs: Any) -> Any:
            norm = gradient_norm(*args, **kwargs)
            if norm is not None and not math.isfinite(norm):
                raise StageError("nan", f"step {trainer.state.global_step + 1}: the gradient's norm is {float(norm)}")
            return norm

        def step_without_ids(model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            inputs.pop("id")
            return prediction_step(model, inputs, *args, **kwargs)

        trainer.training_step, trainer.prediction_step = checked_step, step_without_ids
        trainer._get_grad_norm = checked_norm
        return super().train(trainer)

    def fitted(self, checkpoint: Path, steps: int) -> Fit | None:
        """The run until now, by all processes, and before this start; None in all processes but the first."""
        peak, kind = peak_memory()
        counted = _of_all_processes((self.counter, peak))
        if self.args.rank > 0:
            return None
        counters, peaks = zip(*counted, strict=True)
        return Fit(
            checkpoint=checkpoint,
            rows=self.trained_rows,
            steps=steps,
            row_counts=dict(sum((counter.rows for counter in counters), Counter())),
            sequences=sum(counter.sequences for counter in counters),
            tokens=sum(counter.tokens for counter in counters) or None,
            history=self.recorder.history,
            seconds=self.recorder.seconds,
            trainable_parameters=self.trainable,
            adapter_norm=adapter_norm(checkpoint),
            peak_memory_bytes=max(peaks),
            memory_kind=kind,
        ).after(self.earlier)

    def _seal(self, checkpoint: Path, steps: int) -> None:
        # Every process has written its part of the checkpoint by the time it tells the first one what it counted.
        if counted := self.fitted(checkpoint, steps):
            seal(checkpoint, counted)

    def _save_trainer_state(self, trainer: Any) -> Any:
        # Or ms-swift spends seconds on pictures of TensorBoard's curves, which nobody keeps.
        trainer.args.report_to = []
        return super()._save_trainer_state(trainer)


def train(arguments: list[str], until: int | None = None) -> Fit | None:
    """Run ms-swift with these command-line arguments, to step `until` or to its end.

    None in all but the first of several processes. Of a run that is continued all steps are counted. Raises StageError
    when a step is not finite.
    """
    if {"--deepspeed", "--use_cpu"} <= set(arguments):
        import deepspeed

        # ZeRO 3 divides weights as they are read, which is before ms-swift connects processes of the CPU.
        deepspeed.init_distributed("gloo")
    pipeline = RecordedRLHF(arguments, until)
    pipeline.main()
    return pipeline.fitted(Path(pipeline.train_msg["last_model_checkpoint"]), pipeline.train_msg["global_step"])


def _of_all_processes(value: tuple[_Counter, int]) -> list[tuple[_Counter, int]]:
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def leave() -> None:
    """Let go of the run's other processes, once the first of them has reported: one that is gone ends them all."""
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()


def adapter_norm(directory: Path) -> float:
    """Frobenius norm over all LoRA B matrices of a saved adapter: zero as long as nothing was learnt.

    Raises StageError("nan") when any of its weights is not finite.
    """
    weights = load_file(directory / "adapter_model.safetensors")
    strange = [name for name, value in weights.items() if not torch.isfinite(value).all()]
    if strange:
        raise StageError("nan", f"{len(strange)} matrices of the adapter are not finite, among them {strange[0]}")
    squares = sum(float(value.double().square().sum()) for name, value in weights.items() if "lora_B" in name)
    return math.sqrt(squares)
