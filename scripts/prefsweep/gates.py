"""What must hold before a stage's result counts: a run that fails here is a failed run, not a row in the ranking."""

from prefsweep.failures import StageError
from prefsweep.records import PairScore, Probe, TrainRecord

PARITY_BOUND = {"float32": 1e-5, "bfloat16": 0.25}
"""Largest allowed |merged − (base + adapter)| of a logit, relative to the largest logit. In bfloat16 the merged
weights are rounded to 8 bits of mantissa, which base + adapter are not."""

LOG_PROB_BOUND_PER_TOKEN = {"float32": 1e-3, "bfloat16": 0.1}
"""How far a server's summed log-probability may be from the merged model's, per token."""

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


def check_merge(parity: float, change: float, bound: float, tied: bool, tied_after_reload: bool) -> None:
    """The gate before a merged model counts. Raises StageError with the bound and the found value."""
    if parity > bound:
        raise StageError(
            "model",
            f"merged and base + adapter differ by {parity:.3g} in a logit, more than {bound:.3g}",
            "Delete the run's folder and run again; if it persists, this architecture does not merge losslessly.",
        )
    if change == 0:
        raise StageError("no_effect", "the merged model equals the base model: the merge lost the adapter")
    if tied != tied_after_reload:
        raise StageError("model", f"tie_word_embeddings was {tied} and is {tied_after_reload} after the merge")


def check_served(probe: Probe, found: float, precision: str) -> None:
    """Before a server is measured: it finds a conversation as likely as the merged model does.

    Raises StageError("wrong_model") with both values; a stale, swapped or foreign model cannot pass.
    """
    bound = LOG_PROB_BOUND_PER_TOKEN[precision] * len(probe.token_ids)
    if not abs(found - probe.log_prob) <= bound:
        raise StageError(
            "wrong_model",
            f"the server's log-probability of conversation {probe.prompt} is {found:.3f}, the merged model's "
            f"{probe.log_prob:.3f}; at most {bound:.3f} apart was expected",
        )


def check_scored(probes: list[Probe], pairs: list[PairScore], precision: str) -> None:
    """Before lm-eval's scores count: it scored the very answers, given the very prompts, of the very model.

    Raises StageError("score") with both values.
    """
    scored = {pair.prompt: pair.chosen_log_prob for pair in pairs}
    for probe in probes:
        bound = LOG_PROB_BOUND_PER_TOKEN[precision] * probe.answer_tokens
        if probe.prompt in scored and not abs(scored[probe.prompt] - probe.answer_log_prob) <= bound:
            raise StageError(
                "score",
                f"lm-eval gives the preferred answer to {probe.prompt} a log-probability of "
                f"{scored[probe.prompt]:.3f}, the merged model {probe.answer_log_prob:.3f}; at most {bound:.3f} "
                "apart was expected",
                "The task file does not score the answers it is given: check its prompts and choices.",
            )
