"""When a point counts as better or worse than the base, and the sentence that says why.

The rule is stated in docs/statistics.md. Nothing is ever called equal: "equivalent" has a margin and a test.
"""

from dataclasses import dataclass
from typing import Literal

from prefsweep.metrics import Metric
from prefsweep.pairing import MetricComparison
from prefsweep.resolving import prompts_to_resolve, seeds_to_resolve
from prefsweep.statistics import ALPHA, Interval, least_p_value
from prefsweep.wording import (
    amount,
    count,
    difference_text,
    probability,
    sample_text,
    signed,
    unit_in_cells,
    value_text,
)

Verdict = Literal["better", "worse", "equivalent", "not resolved", "reference", "failed", "stopped", "not finished"]

SEED_AGREEMENT = 0.8
SEEDS_FOR_A_METHOD = 5
_CHOSEN = "It was chosen on one half of the held-out prompts (development) and is judged on the other (test)."


@dataclass(frozen=True)
class Evidence:
    """What a verdict on one point rests on: its primary metric on the test half and its runs."""

    metric: Metric
    primary: MetricComparison | None
    p_adjusted: float | None
    p_equivalence_adjusted: float | None
    """Of the hypothesis that the difference is at least `smallest_effect`; None where that is zero."""
    strictest_alpha: float
    """What Holm asks of the smallest p-value of the family: 5 % / the family's size."""
    smallest_effect: float
    finished: int
    failed: int
    planned: int
    stopped: str | None = None
    """Why screening stopped it, if it did."""

    @property
    def seeds(self) -> int:
        """Those with the metric: a run may finish without it."""
        return len(self.primary.seed_means) if self.primary else self.finished


def decide(evidence: Evidence) -> tuple[Verdict, str]:
    """The verdict on a point that is not the base, and one sentence that begins with it."""
    verdict, why = _decide(evidence)
    return verdict, why if verdict == "equivalent" else f"{verdict}: {why}"


def _decide(evidence: Evidence) -> tuple[Verdict, str]:
    unit, primary = evidence.metric.unit, evidence.primary
    if evidence.finished == 0 and evidence.failed:
        return "failed", f"{evidence.failed} of {count(evidence.planned, 'run')} failed and none finished"
    if evidence.stopped:
        return "stopped", evidence.stopped
    if evidence.finished == 0:
        return "not finished", f"none of {count(evidence.planned, 'run')} has finished"
    if primary is None:
        return (
            "not resolved",
            f"fewer than two test prompts have {evidence.metric.name} in this point and the base",
        )
    difference = primary.difference
    if difference is None or evidence.p_adjusted is None:
        return "not resolved", f"there is no base with {evidence.metric.name} to compare with"
    if evidence.p_equivalence_adjusted is not None and evidence.p_equivalence_adjusted < ALPHA:
        return _small(evidence, primary, difference)
    if evidence.p_adjusted >= ALPHA:
        return "not resolved", _undetected(evidence.metric, primary, difference)
    if abs(difference.estimate) < evidence.smallest_effect:
        return "not resolved", (
            f"difference {signed(difference.estimate, unit)} is smaller than the smallest worthwhile effect, "
            f"{amount(evidence.smallest_effect, unit)}"
        )
    return _by_seeds(evidence, primary, difference)


def _by_seeds(evidence: Evidence, primary: MetricComparison, difference: Interval) -> tuple[Verdict, str]:
    """The last hurdle: seeds must agree. A failed run counts as a seed in which the point did worse."""
    improves = (difference.estimate > 0) == (evidence.metric.direction == "higher")
    agreeing = sum(value * difference.estimate > 0 for value in primary.seed_differences.values())
    agreeing += 0 if improves else evidence.failed
    seeds = len(primary.seed_differences) + evidence.failed
    failures = f", counting {count(evidence.failed, 'failed run')} as worse" if evidence.failed else ""
    if agreeing < SEED_AGREEMENT * seeds:
        return "not resolved", (
            f"difference {signed(difference.estimate, evidence.metric.unit)}, but only {agreeing} of "
            f"{count(seeds, 'seed')} agree in its sign{failures}"
        )
    found = f"{difference_text(difference, evidence.metric.unit)}, adjusted p {probability(evidence.p_adjusted)}"
    sample = sample_text(primary.prompts, difference)
    return "better" if improves else "worse", f"{found}, with {sample}{failures}"


def _small(evidence: Evidence, primary: MetricComparison, difference: Interval) -> tuple[Verdict, str]:
    """The difference is smaller than what is worthwhile; a failed run, which counts as worse, is not."""
    margin = f"±{amount(evidence.smallest_effect, evidence.metric.unit)}"
    found = difference_text(difference, evidence.metric.unit)
    if evidence.failed:
        failures = f"{count(evidence.failed, 'failed run')} of {evidence.planned} counts as worse"
        return "not resolved", f"difference {found} lies within {margin}, but {failures}"
    tested = f"adjusted p {probability(evidence.p_equivalence_adjusted)}"
    sample = sample_text(primary.prompts, difference)
    return "equivalent", f"equivalent to base within {margin}: difference {found}, {tested}, with {sample}"


def _undetected(metric: Metric, primary: MetricComparison, difference: Interval) -> str:
    sample, unit = sample_text(primary.prompts, difference), metric.unit
    detectable = primary.minimum_detectable_effect
    if difference.estimate != 0 and difference.p_value == least_p_value(difference.clusters):
        return f"difference {signed(difference.estimate, unit)}, but {sample} are too few for any claim"
    if detectable is None:
        return f"every prompt gives the same difference, {signed(difference.estimate, unit)}, with {sample}"
    if metric.rate and detectable > 1:
        return f"difference {signed(difference.estimate, unit)}, but no difference is detectable with {sample}"
    smallest = amount(detectable, unit)
    return f"difference {signed(difference.estimate, unit)}, smallest detectable {smallest} with {sample}"


def caveats(evidence: Evidence) -> list[str]:
    """What limits a verdict, in the order of importance."""
    some = evidence.finished > 0  # else the verdict says so itself
    unfinished = evidence.planned - evidence.finished - evidence.failed
    excluded = evidence.primary.excluded_prompts if evidence.primary else 0
    few = f"{evidence.seeds} seeds: a claim about a method wants at least {SEEDS_FOR_A_METHOD}"
    candidates = [
        ("one seed: this checkpoint, not this method", evidence.seeds == 1),
        (few, 1 < evidence.seeds < SEEDS_FOR_A_METHOD),
        (f"{evidence.failed} of {count(evidence.planned, 'run')} failed", some and evidence.failed > 0),
        (f"{unfinished} of {count(evidence.planned, 'run')} not finished", some and unfinished > 0),
        (f"{count(excluded, 'prompt')} without {evidence.metric.name} left out", excluded > 0),
    ]
    return [text for text, applies in candidates if applies]


def what_would_resolve(evidence: Evidence) -> str:
    """How many prompts, or seeds, the observed difference would need, or the smallest worthwhile one if larger."""
    primary = evidence.primary
    if primary is None or primary.difference is None or (evidence.p_adjusted or 0) < ALPHA:
        return ""
    observed = abs(primary.difference.estimate)
    effect, what = observed, "a difference this large"
    if observed < evidence.smallest_effect:
        effect, what = evidence.smallest_effect, "the smallest worthwhile effect"
    prompts = prompts_to_resolve(primary.difference, primary.prompts, effect, evidence.strictest_alpha)
    seeds = seeds_to_resolve(primary.difference, effect, evidence.strictest_alpha)
    return _enough(prompts, seeds, primary, effect, what)


def _enough(prompts: int | None, seeds: int | None, primary: MetricComparison, effect: float, what: str) -> str:
    assert primary.difference is not None
    if prompts is not None and prompts > primary.prompts:
        instead = f", and so would about {seeds} seeds on those there are" if seeds else ""
        return f"About {prompts:,} test prompts would resolve {what}{instead}."
    if prompts is not None or effect == 0 or primary.difference.standard_error == 0:
        return ""
    instead = f"about {seeds} seeds on the same prompts would" if seeds else "run more seeds on more prompts"
    return f"More prompts alone would not resolve {what}, because the seeds differ too much: {instead}."


def headline(label: str, choices: int, stopped: int, evidence: Evidence, base: MetricComparison | None) -> str:
    """The top of the page: the recommended point, the best on the development half of `choices` and the `stopped`."""
    verdict, reason = _decide(evidence)
    metric, chosen = evidence.metric, choices + stopped > 1
    best = f"the best of {choices + stopped:,} points" if chosen else "the only point with results"
    if stopped:
        best += f" ({stopped:,} stopped early)"
    if verdict == "not resolved" or evidence.primary is None:
        sentences = [
            f"Not resolved. {label}, {best}: {reason}.",
            what_would_resolve(evidence),
        ]
    else:
        unit = unit_in_cells(metric.unit)  # the difference, which follows, tells it
        values = value_text(evidence.primary.mean.estimate, unit)
        values += f" against {value_text(base.mean.estimate, unit)} for the untouched model" if base else ""
        opening = f"Use {label}" if verdict == "better" else f"Keep the untouched model: {label}"
        sentences = [f"{opening}, {best}: {metric.name} {values}, {reason}."]
    if chosen:
        sentences.append(_CHOSEN)
    if evidence.seeds == 1 and verdict != "not resolved":
        sentences.append("One seed: this checkpoint, not this method.")
    return " ".join(sentence for sentence in sentences if sentence)
