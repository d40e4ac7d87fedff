"""What is measured on every held-out prompt: the catalogue of metrics, and one run's values."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from prefsweep import style
from prefsweep.failures import StageError
from prefsweep.languages import UNDETERMINED, language
from prefsweep.records.base import Record
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Evaluation, Generation, PairScore
from prefsweep.records.score import PromptScores, Scores

Direction = Literal["higher", "lower", "neutral"]
"""Which way is better; a neutral metric is shown and never judged."""

PREFERENCE_TASK = "preference-accuracy"
WIN_RATE = "win_rate"


class Metric(Record):
    """A number per prompt; a run's value is its mean over prompts."""

    name: str
    unit: str
    """`share` reads as per cent and percentage points; anything else is a plain unit."""
    direction: Direction
    description: str
    source: str
    rate: bool = False
    """Each prompt gives 0, 1 or a tie's 1/2, so that the mean is a proportion."""

    @property
    def needs_pairs(self) -> bool:
        """Whether it compares a held-out pair's two answers, rather than looking at what a model wrote."""
        return self.name in PAIR_METRICS

    @property
    def needs_judge(self) -> bool:
        """Whether it compares answers with the base's, whose own value is one half by definition."""
        return self.name == WIN_RATE


_CATALOGUE = [
    Metric(
        name="preference_accuracy", unit="share", direction="higher", rate=True,
        description="The held-out chosen answer is likelier than the rejected one; a tie counts one half.",
        source="acc of lm-eval's multiple_choice",
    ),
    Metric(
        name="preference_accuracy_normalised", unit="share", direction="higher", rate=True,
        description="The same by log-probability per character, so that the shorter answer has no advantage.",
        source="acc_norm of lm-eval's multiple_choice",
    ),
    Metric(
        name="preference_margin", unit="nats", direction="higher",
        description="Log-probability of the chosen answer − of the rejected one, summed over the answer.",
        source="the margin DPO and CPO train (arXiv 2305.18290)",
    ),
    Metric(
        name="preference_margin_normalised", unit="nats per character", direction="higher",
        description="The same margin with each log-probability divided by its answer's characters.",
        source="the length-normalised margin SimPO trains (arXiv 2405.14734), per character",
    ),
    Metric(
        name="chosen_log_prob", unit="nats", direction="neutral",
        description="Log-probability of the held-out chosen answer: its drift shows what alignment cost.",
        source="lm-eval's loglikelihood",
    ),
    Metric(
        name="rejected_log_prob", unit="nats", direction="neutral",
        description="Log-probability of the held-out rejected answer.",
        source="lm-eval's loglikelihood",
    ),
    Metric(
        name="chosen_nats_per_character", unit="nats per character", direction="lower",
        description="Negative log-probability of the chosen answer / characters: surprise at good answers.",
        source="cross-entropy; × log2(e) gives bits per character",
    ),
    Metric(
        name="emoji", unit="emoji", direction="neutral",
        description="Emoji in the answer; a joined sequence or a flag is one.",
        source="Unicode emoji sequences (UTS 51), package emoji",
    ),
    Metric(
        name="characters", unit="characters", direction="neutral",
        description="Length of the answer in Unicode code points.",
        source="Unicode",
    ),
    Metric(
        name="words", unit="words", direction="neutral",
        description="Length of the answer in words; every Han character is one.",
        source="Unicode word characters",
    ),
    Metric(
        name="output_tokens", unit="tokens", direction="neutral",
        description="Length of the answer in the model's tokens.",
        source="the server's usage.completion_tokens",
    ),
    Metric(
        name="repetition", unit="share", direction="lower",
        description="Share of 4-grams of words and emoji that occurred before in the same answer.",
        source="seq-rep-4 (arXiv 1908.04319)",
    ),
    Metric(
        name="truncated", unit="share", direction="lower", rate=True,
        description="The answer hit the token limit instead of ending by itself.",
        source="finish_reason = length",
    ),
    Metric(
        name="same_language", unit="share", direction="higher", rate=True,
        description="The answer was not identified as another language than the chosen answer's (without "
        "one, the prompt's); an answer too short to tell counts as the same.",
        source="py3langid at confidence >= 0.5",
    ),
    Metric(
        name=WIN_RATE, unit="share", direction="higher", rate=True,
        description="The judge preferred the answer to the base's in both orders; a tie or disagreement is one half.",
        source="(wins + ties / 2) / judged prompts; docs/judge.md",
    ),
]  # fmt: skip

PAIR_METRICS = frozenset(
    {
        "preference_accuracy", "preference_accuracy_normalised", "preference_margin", "preference_margin_normalised",
        "chosen_log_prob", "rejected_log_prob", "chosen_nats_per_character",
    }
)  # fmt: skip
"""What `preference_metrics` gives."""

METRICS: dict[str, Metric] = {metric.name: metric for metric in _CATALOGUE}
"""Every per-prompt metric by name, in the order reports show them."""


def score_run(prompts: Sequence[HeldOutPrompt], generations: Sequence[Generation], evaluation: Evaluation) -> Scores:
    """Every metric of one run, prompt by prompt, in the order of `prompts`.

    Joined by id, never by position. Raises StageError (score) that names prompts without exactly one answer,
    ids nobody asked, and log-probabilities that are not numbers. A metric that does not apply to a prompt is
    absent.
    """
    answers = {generation.prompt: generation for generation in generations}
    _exactly_once("answer", [prompt.id for prompt in prompts], (row.prompt for row in generations))
    pairs = {pair.prompt: pair for pair in evaluation.pairs}
    if evaluation.pairs or PREFERENCE_TASK in evaluation.tasks:
        expected = [prompt.id for prompt in prompts if prompt.part == "heldout" and prompt.rejected is not None]
        _exactly_once("pair score", expected, (pair.prompt for pair in evaluation.pairs))
    return Scores(
        run=evaluation.run,
        prompts=[
            PromptScores(
                prompt=prompt.id,
                cluster=prompt.cluster,
                part=prompt.part,
                half=prompt.half,
                metrics=generation_metrics(prompt, answers[prompt.id])
                | (preference_metrics(pairs[prompt.id]) if prompt.id in pairs else {}),
            )
            for prompt in prompts
        ],
    )


def generation_metrics(prompt: HeldOutPrompt, generation: Generation) -> dict[str, float]:
    """Style, length and language of one answer."""
    answer = generation.answer
    metrics: dict[str, float] = {
        "emoji": style.emoji_count(answer),
        "characters": len(answer),
        "words": len(style.words(answer)),
        "output_tokens": generation.output_tokens,
        "repetition": style.repetition(answer),
        "truncated": generation.finish_reason == "length",
    }
    expected = _reference_language(prompt)
    if expected != UNDETERMINED:
        metrics["same_language"] = language(answer) in (expected, UNDETERMINED)
    return {name: float(value) for name, value in metrics.items()}


def preference_metrics(pair: PairScore) -> dict[str, float]:
    """Does the model prefer the chosen answer, and by how much. Raises StageError (score) on NaN, inf."""
    chosen, rejected = pair.chosen_log_prob, pair.rejected_log_prob
    if not (math.isfinite(chosen) and math.isfinite(rejected)):
        raise StageError("score", f"prompt {pair.prompt}: log-probabilities {chosen} and {rejected} are not finite")
    chosen_mean = chosen / max(pair.chosen_characters, 1)
    rejected_mean = rejected / max(pair.rejected_characters, 1)
    return {
        "preference_accuracy": _wins(chosen, rejected),
        "preference_accuracy_normalised": _wins(chosen_mean, rejected_mean),
        "preference_margin": chosen - rejected,
        "preference_margin_normalised": chosen_mean - rejected_mean,
        "chosen_log_prob": chosen,
        "rejected_log_prob": rejected,
        "chosen_nats_per_character": -chosen_mean,
    }


def _wins(chosen: float, rejected: float) -> float:
    return 0.5 if chosen == rejected else float(chosen > rejected)


def _reference_language(prompt: HeldOutPrompt) -> str:
    """The language to answer in: the chosen answer's; if that is absent or too short, the question's."""
    question = prompt.messages[-1]["content"]
    texts = [prompt.chosen, question] if prompt.chosen else [question]
    found = (language(text) for text in texts if text)
    return next((code for code in found if code != UNDETERMINED), UNDETERMINED)


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
