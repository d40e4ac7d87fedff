"""Before a server is measured and before lm-eval's scores count."""

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from statistics import fmean

from prefsweep.failures import StageError
from prefsweep.records.measure import Generation, PairScore
from prefsweep.records.merge import Probe

LOG_PROB_BOUND_PER_TOKEN = {"float32": 1e-3, "bfloat16": 0.1}
"""How far a server's log-probability of a text may be from the merged model's, per token."""

TOKEN_BOUND = {"float32": 5e-3, "bfloat16": 0.35}
"""How far, in root mean square over its tokens: differences go both ways, so that a sum hardly shows another model.

Of 135 million parameters trained in float32, bfloat16 moved the sum by 0.02 per token, the root mean square by 0.17;
the base in the model's place moved them by 0.07 and 1.1, another method's model by 0.09 and 0.37."""


EMPTY_SHARE = 0.9
"""Of answers that end without a word: beyond it there is nothing to read, to judge or to measure."""


def check_answers(generations: Sequence[Generation]) -> None:
    """Before answers count: there are some. Raises StageError("score") with how many are empty.

    Tokens without a word up to the limit are what the model says; the metric `empty` counts them.
    """
    empty = sum(one.finish_reason == "stop" and not one.answer.strip() for one in generations)
    if empty > EMPTY_SHARE * len(generations):
        raise StageError(
            "score",
            f"{empty} of {len(generations)} answers are empty",
            "A model that ends each answer at once has unlearnt to write: lower the learning rate. If it is the base, "
            "check its chat template.",
        )


def check_rendering(prompt: str, renderings: Mapping[str, Sequence[int]]) -> None:
    """Before an answer counts: whoever renders a prompt (name → token ids) makes the same tokens of it.

    Raises StageError("wrong_model") with the first tokens in which two of them differ: a second start of sequence, a
    system prompt that one of them adds or leaves out, another template.
    """
    (first, expected), *others = renderings.items()
    for name, found in others:
        if list(found) == list(expected):
            continue
        place = next(n for n, (a, b) in enumerate(zip_longest(expected, found)) if a != b)
        raise StageError(
            "wrong_model",
            f"prompt {prompt}: from token {place} on, {first} renders it as {_some(expected, place)} "
            f"({len(expected)} tokens in all), {name} as {_some(found, place)} ({len(found)})",
            "Make `template` in the model's file and the chat template beside its tokenizer agree.",
        )


def _some(token_ids: Sequence[int], start: int) -> str:
    return f"{list(token_ids[start : start + 12])}"


def check_served(probe: Probe, found: Sequence[float], precision: str) -> None:
    """Before a server is measured: it finds each token of a conversation as likely as the merged model does.

    `found` are its log-probabilities of `probe.token_ids[1:]`. Raises StageError("wrong_model") with both values; a
    stale, swapped or foreign model cannot pass.
    """
    differences = [ours - theirs for ours, theirs in zip(found, probe.log_probs, strict=True)]
    mean = abs(fmean(differences))
    spread = math.sqrt(fmean(difference**2 for difference in differences))
    if not (mean <= LOG_PROB_BOUND_PER_TOKEN[precision] and spread <= TOKEN_BOUND[precision]):
        raise StageError(
            "wrong_model",
            f"the server's log-probability of conversation {probe.prompt} is {sum(found):.3f}, the merged model's "
            f"{sum(probe.log_probs):.3f}: {mean:.3g} per token apart where {LOG_PROB_BOUND_PER_TOKEN[precision]:g} was "
            f"expected, {spread:.3g} in root mean square where {TOKEN_BOUND[precision]:g} was",
            "The server does not serve what this run trained: delete its merge.json and run the same command again.",
        )


def check_changed(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> None:
    """Before a server is measured whose weights were swapped: it says something else of the probes than before.

    Rounding in bfloat16 can be larger than what tells two points of one method apart, so that `check_served` alone
    might let the former's weights pass, but not with other numbers than they gave. Raises StageError("wrong_model").
    """
    if before == after:
        raise StageError(
            "wrong_model",
            "after its weights were swapped the server gives every probe the log-probabilities of the run before",
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
