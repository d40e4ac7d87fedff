"""Train on one settings file after another with the real engine, in one process, and ask each trainer for the loss of
answers whose log-probabilities are given; what came of it goes to stdout.

The trainer is the one ms-swift made of the settings. Only its model is exchanged: for one that gives every token of an
answer the log-probability that is asked for, so that masks, sums, means and the reference are the trainer's own.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prefsweep.records.base import read_document
from prefsweep.swift_settings import as_arguments

MARK = "LOSSES "


@dataclass(frozen=True)
class Answer:
    """Tokens, and the log-probability of each one: the policy's and the reference's."""

    tokens: int
    policy: float
    reference: float

    @property
    def total(self) -> float:
        return self.tokens * self.policy

    @property
    def mean(self) -> float:
        return self.policy

    @property
    def ratio(self) -> float:
        """log π/π_ref, summed over the tokens."""
        return self.tokens * (self.policy - self.reference)


PAIRS = [
    (Answer(5, -2.0, -2.2), Answer(4, -3.5, -3.25)),
    (Answer(3, -1.5, -1.2), Answer(6, -0.8, -1.0)),
]
"""Preferred and dispreferred answers: the first pair sums up to −10 and −14, by the reference to −11 and −13."""
KL_ANSWER = Answer(2, -1.0, -1.1)
"""What stands behind another row's prompt in KTO's estimate of the KL divergence: 0.2."""
PROMPT = 3
"""Tokens before every answer, of which no loss may learn."""


def loss_of(trainer: Any, pairs: list[tuple[Answer, Answer]]) -> float:
    """What the trainer minimises for these answers, all in one forward pass."""
    import torch

    answers = [pair[side] for side in (0, 1) for pair in pairs]
    known = [*answers, KL_ANSWER]
    longest = PROMPT + max(answer.tokens for answer in known)

    def batch_of(rows: list[Answer], prefix: str = "") -> dict[str, Any]:
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
        for row, answer in zip(range(len(rows)), rows, strict=True):
            end = PROMPT + answer.tokens
            ids[row, 0] = known.index(answer)
            ids[row, PROMPT:end] = labels[row, PROMPT:end] = 1
            mask[row, :end] = 1
        return {f"{prefix}input_ids": ids, f"{prefix}labels": labels, f"{prefix}attention_mask": mask}

    class Given(torch.nn.Module):
        reference = False

        def forward(self, input_ids: Any, **_: Any) -> Any:
            values = [
                known[int(row)].reference if self.reference else known[int(row)].policy for row in input_ids[:, 0]
            ]
            chosen = torch.tensor(values, dtype=torch.float64)[:, None].expand(*input_ids.shape)
            other = torch.log1p(-chosen.exp())
            return SimpleNamespace(logits=torch.stack([other, chosen], dim=-1))

    model = Given()

    @contextmanager
    def as_reference() -> Iterator[None]:
        model.reference = True
        yield
        model.reference = False

    if hasattr(trainer, "running"):
        trainer.running = type(trainer.running)(trainer.accelerator)
    trainer.model, trainer.null_ref_context, trainer.args.use_logits_to_keep = model, as_reference, False
    if trainer.template.mode == "kto":
        batch = batch_of(answers, "completion_") | batch_of([KL_ANSWER] * len(answers), "KL_completion_")
        batch["label"] = [True] * len(pairs) + [False] * len(pairs)
    else:
        batch = batch_of(answers)
    loss, _ = trainer.get_batch_loss_metrics(model, batch)
    return float(loss)


def main(files: list[str]) -> None:
    from prefsweep.training import RecordedRLHF, adapter_norm  # loads torch and ms-swift, which only `train` has

    class Asked(RecordedRLHF):
        """Trains, then asks its trainer for the losses of given answers."""

        def train(self, trainer: Any) -> Any:
            trained = super().train(trainer)
            self.losses = [loss_of(trainer, PAIRS[:1]), loss_of(trainer, PAIRS)]
            return trained

    for settings in files:
        pipeline = Asked(as_arguments(read_document(Path(settings))), until=None)
        pipeline.main()
        first = pipeline.recorder.history[0].loss
        norm = adapter_norm(Path(pipeline.train_msg["last_model_checkpoint"]))
        print(f"\n{MARK}{json.dumps([settings, pipeline.losses, first, norm])}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
