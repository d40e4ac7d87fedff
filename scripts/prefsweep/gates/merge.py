"""Before a merged model counts."""

from prefsweep.failures import StageError

PARITY_BOUND = {"float32": 1e-5, "bfloat16": 0.25}
"""Largest allowed |merged − (base + adapter)| of a logit, relative to the largest logit. In bfloat16 the merged
weights are rounded to 8 bits of mantissa, which base + adapter are not."""


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
