"""Before a merged model counts."""

import math

from prefsweep.failures import StageError

PARITY_BOUND = {"float32": 1e-5, "bfloat16": 0.1}
"""Largest allowed |merged − (base + adapter)| of a logit, in units of the largest logit, or of 1 if that is smaller.

Below a largest logit of 1 this is the 1e-5 that is expected of float32. A model of 30 layers whose logits reach 36
cannot keep to it, however it is calculated: rounding its merged weights to float32 alone moves a logit by 2e-5. In
bfloat16 the merged weights are rounded to 8 bits of mantissa, which base + adapter are not: 0.035 was seen there, while
two methods' models were 0.25 apart."""


def parity_bound(precision: str, largest_logit: float) -> float:
    """What `check_merge` allows, in logits."""
    return PARITY_BOUND[precision] * max(1.0, largest_logit)


def check_finite(largest_logits: list[float]) -> None:
    """Before anything is compared: the merged model gives numbers. Raises StageError("nan")."""
    if not all(math.isfinite(value) for value in largest_logits):
        raise StageError("nan", f"the merged model's largest logits of the probes are {largest_logits}")


def check_merge(parity: float, change: float, bound: float, tied: bool, tied_after_reload: bool) -> None:
    """The gate before a merged model counts. Raises StageError with the bound and the found value."""
    if change == 0:
        raise StageError("no_effect", "the merged model equals the base model: the merge lost the adapter")
    if not parity <= bound:
        raise StageError(
            "model",
            f"merged and base + adapter differ by {parity:.3g} in a logit, more than {bound:.3g}; the adapter changes "
            f"{change:.3g}",
            "Delete the run's folder and run again; if it persists, this architecture does not merge losslessly.",
        )
    if tied != tied_after_reload:
        words = {True: "share one matrix", False: "are two matrices"}
        raise StageError(
            "model",
            f"the base model's embedding and output {words[tied]}, the merged model's {words[tied_after_reload]}",
        )
