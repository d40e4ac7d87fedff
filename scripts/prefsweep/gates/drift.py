"""Before an answer's distance from the base counts."""

import math
from collections.abc import Sequence

from prefsweep.failures import StageError
from prefsweep.records.measure import Generation

ROUNDING = 1e-4
"""Nats by which a divergence of equal distributions may be below 0, each log-probability being a rounded float32."""


def check_prompt_tokens(generation: Generation, found: int) -> None:
    """The prompt has as many tokens here as it had at the server. Raises StageError("wrong_model")."""
    if found != generation.prompt_tokens:
        raise StageError(
            "wrong_model",
            f"prompt {generation.prompt} has {found} tokens here and had {generation.prompt_tokens} at the server",
            "The tokenizer or the chat template has changed since: delete the run's merge.json and run again.",
        )


def check_divergences(prompt: str, divergences: Sequence[float]) -> None:
    """A divergence is a number and not below 0. Raises StageError("nan") with the first that is."""
    for position, value in enumerate(divergences):
        if not (math.isfinite(value) and value >= -ROUNDING):
            raise StageError(
                "nan",
                f"prompt {prompt}, token {position} of the answer: the divergence from the base is {value}",
                "A logit is not finite in one of the merged models: look at the run's training losses.",
            )
