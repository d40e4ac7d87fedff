"""The exact KL divergence of one model from another along given answers.

In float32, whatever the models are served in: two models that are equal but for bfloat16's rounding would already be
some way apart. Answers go through the models one at a time, so that no padding makes equal models differ, and in
pieces, so that no more than two pieces' distributions over the vocabulary are ever in memory.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import kl_div, log_softmax
from transformers import AutoModelForCausalLM

from prefsweep.answer_tokens import AnswerTokens
from prefsweep.gates.drift import check_divergences
from prefsweep.records.drift import AnswerDrift

PIECE = 128
"""Positions of an answer whose distributions are in memory at a time: 75 MB each with a vocabulary of 150,000."""


def load_model(directory: Path) -> Any:
    """A merged model in float32. What does not fit on the GPUs stays in main memory, which is slow but works."""
    model = AutoModelForCausalLM.from_pretrained(
        directory,
        dtype=torch.float32,
        device_map="auto" if torch.cuda.is_available() else "cpu",
        trust_remote_code=False,
        local_files_only=True,
    )
    return model.eval()


def answer_drift(model: Any, base: Any, answer: AnswerTokens, end_ids: list[int], piece: int = PIECE) -> AnswerDrift:
    """How far `model` is from `base` along an answer of the former's.

    `end_ids` are the tokens that end an answer: how likely an end is, is the sum over them. Raises StageError("nan")
    for a divergence that is not finite or below 0.
    """
    targets = [[token] for token in answer.answer_ids] + [end_ids] * answer.ended
    divergences: list[float] = []
    log_ratio = 0.0
    with torch.inference_mode():
        pieces = (log_probs(one, answer, len(targets), piece) for one in (model, base))
        for ours, elsewhere in zip(*pieces, strict=True):
            theirs = elsewhere.to(ours.device)
            here = targets[len(divergences) :][: len(ours)]
            divergences += kl_div(theirs, ours, reduction="none", log_target=True).sum(-1).tolist()
            log_ratio += of_targets(ours, here) - of_targets(theirs, here)
    check_divergences(answer.prompt, divergences)
    return AnswerDrift(prompt=answer.prompt, positions=len(targets), kl_nats=sum(divergences), log_ratio_nats=log_ratio)


def log_probs(model: Any, answer: AnswerTokens, positions: int, piece: int) -> Iterator[torch.Tensor]:
    """Log-probabilities of every token at the answer's first positions, in pieces of shape (≤ piece, vocabulary).

    The first position is the prompt's last token, which the answer's first one follows.
    """
    first = len(answer.prompt_ids) - 1
    token_ids = (answer.prompt_ids + answer.answer_ids)[: first + positions]
    seen, read = None, 0
    for start in range(first, len(token_ids), piece):
        end = min(start + piece, len(token_ids))
        new = torch.tensor([token_ids[read:end]], device=model.device)
        found = model(new, past_key_values=seen, use_cache=True, logits_to_keep=end - start)
        seen, read = found.past_key_values, end
        yield log_softmax(found.logits[0].float(), dim=-1)


def of_targets(distributions: torch.Tensor, targets: list[list[int]]) -> float:
    """Summed log-probability of one token of each position's `targets`; `distributions` are (positions, vocabulary)."""
    return sum(float(row[tokens].logsumexp(0)) for row, tokens in zip(distributions, targets, strict=True))
