"""Before a server is measured and before lm-eval's scores count."""

from prefsweep.failures import StageError
from prefsweep.records.measure import PairScore
from prefsweep.records.merge import Probe

LOG_PROB_BOUND_PER_TOKEN = {"float32": 1e-3, "bfloat16": 0.1}
"""How far a server's summed log-probability may be from the merged model's, per token."""


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
