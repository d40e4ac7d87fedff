"""What is measured on every held-out prompt: the catalogue of metrics, and one run's values."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from prefsweep.failures import StageError
from prefsweep.metric import Direction, Metric
from prefsweep.metric_kinds.answer import answers_of
from prefsweep.metric_kinds.form import FORM
from prefsweep.metric_kinds.judgement import JUDGED
from prefsweep.metric_kinds.preference import PREFERENCE
from prefsweep.metric_kinds.reward_model import REWARD_MODEL
from prefsweep.metric_kinds.style import STYLE
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Evaluation, Generation, PairScore
from prefsweep.records.score import PromptScores, Scores

__all__ = [
    "ANSWER_METRICS",
    "METRICS",
    "PREFERENCE_TASK",
    "REWARD_MODEL_SCORE",
    "WIN_RATE",
    "Direction",
    "Metric",
    "preference_metrics",
    "score_run",
]

PREFERENCE_TASK = "preference-accuracy"
WIN_RATE = "win_rate"
REWARD_MODEL_SCORE = "reward_model_score"

ANSWER_METRICS: dict[str, Metric] = STYLE.entries | FORM.entries
"""Those that look at what a model wrote."""

METRICS: dict[str, Metric] = PREFERENCE.entries | ANSWER_METRICS | JUDGED.entries | REWARD_MODEL.entries
"""Every per-prompt metric by name, in the order reports show them."""


def score_run(prompts: Sequence[HeldOutPrompt], generations: Sequence[Generation], evaluation: Evaluation) -> Scores:
    """Every metric of one run, prompt by prompt, in the order of `prompts`.

    Joined by id, never by position. Raises StageError (score) that names prompts without exactly one answer,
    ids nobody asked, and log-probabilities that are not numbers. A metric that does not apply to a prompt is
    absent.
    """
    _exactly_once("answer", [prompt.id for prompt in prompts], (row.prompt for row in generations))
    pairs = {pair.prompt: pair for pair in evaluation.pairs}
    if evaluation.pairs or PREFERENCE_TASK in evaluation.tasks:
        expected = [prompt.id for prompt in prompts if prompt.part == "heldout" and prompt.rejected is not None]
        _exactly_once("pair score", expected, (pair.prompt for pair in evaluation.pairs))
    answers = answers_of(prompts, {generation.prompt: generation for generation in generations})
    return Scores(
        run=evaluation.run,
        prompts=[
            PromptScores(
                prompt=prompt.id,
                cluster=prompt.cluster,
                part=prompt.part,
                half=prompt.half,
                metrics=(preference_metrics(pairs[prompt.id]) if prompt.id in pairs else {})
                | STYLE.values(answers[prompt.id])
                | FORM.values(answers[prompt.id]),
            )
            for prompt in prompts
        ],
    )


def preference_metrics(pair: PairScore) -> dict[str, float]:
    """Does the model prefer the chosen answer, and by how much. Raises StageError (score) on NaN, inf."""
    chosen, rejected = pair.chosen_log_prob, pair.rejected_log_prob
    if not (math.isfinite(chosen) and math.isfinite(rejected)):
        raise StageError("score", f"prompt {pair.prompt}: log-probabilities {chosen} and {rejected} are not finite")
    return PREFERENCE.values(pair)


def _exactly_once(what: str, expected: Iterable[str], found: Iterable[str]) -> None:
    wanted, counts = list(expected), Counter(found)
    problems: dict[str, list[str]] = {
        f"without {what}": [name for name in wanted if counts[name] == 0],
        f"with more than one {what}": [name for name, count in counts.items() if count > 1],
        f"with {what} that the study does not have": sorted(counts.keys() - set(wanted)),
    }
    found_problems = [f"{len(ids)} prompts {kind}: {_some(ids)}" for kind, ids in problems.items() if ids]
    if found_problems:
        raise StageError("score", "; ".join(found_problems))


def _some(ids: Sequence[str], limit: int = 5) -> str:
    return ", ".join(ids[:limit]) + (f" and {len(ids) - limit} more" if len(ids) > limit else "")
