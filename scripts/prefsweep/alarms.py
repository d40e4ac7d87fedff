"""Signs that a run learnt something else than to answer better: said loudly, never judged.

They stand beside the verdicts because each of them can go with a better primary metric: that is what reward hacking is.
"""

from collections.abc import Iterable, Iterator
from statistics import fmean

from scipy.stats import ttest_ind

from prefsweep.comparison import Comparison, MetricComparison, PointComparison
from prefsweep.plan import BASE
from prefsweep.records.base import Record
from prefsweep.results import RunResults, StudyResults
from prefsweep.wording import signed, value_text

STUCK_SHARE = 0.9
"""Of steps whose KL estimate is exactly 0. Single zeros are normal, because a negative estimate is raised to 0; an
estimate that hardly ever leaves 0 is computed from too few mismatched answers, or from a policy that does not move."""

FEWEST_STEPS = 9
"""Logged steps without which nothing is said about a course: three for each third."""

FALL_P_VALUE = 0.001
"""Of Welch's one-sided test that the chosen answers' reward fell between the first and the last third of training:
batches differ in their rows, so that some fall is always there. Of a thousand sound runs one raises this alarm."""

LENGTH_RATIO = 1.5
"""Answers half as long again as the base's. A convention: raters, models and metrics prefer longer answers for their
length alone (arXiv 2403.19159), so that a gain beside such a growth may be nothing else."""

TRUNCATED_RISE = 0.25
"""Of the share of answers that hit the token limit: beyond it lengths say little, because the limit cuts them."""

REPETITION_RISE = 0.1
"""Of the share of repeated 4-grams: human text repeats hardly any, degenerate text a large part (arXiv 1908.04319)."""


ROUNDED_SHARE = 0.5
"""Of what the adapter changes, the part that the merged model is off by. In bfloat16 a small adapter falls between the
numbers that a merged weight can be: what is served and scored is then less than what was trained."""


class Alarm(Record):
    """One sign, about one run's training or about one point's answers."""

    name: str
    point: str
    run: str | None
    """None where it is about all seeds of the point together."""
    sentence: str
    """What was found, with its numbers."""
    column: str | None = None
    """Of the training's history, where its course gave rise to it."""


def alarms(study: StudyResults, comparison: Comparison) -> list[Alarm]:
    """All of them, by point in the plan's order: its runs' trainings first, then its answers."""
    found: list[Alarm] = []
    for point in comparison.points:
        for run in study.of_point(point.point):
            found += training_alarms(run)
        if base := next((other for other in comparison.points if other.method == BASE), None):
            found += _answer_alarms(point, base)
    return found


def training_alarms(run: RunResults) -> list[Alarm]:
    """What one run's training gives away by its own course, and its merge; nothing for a run that was not trained."""
    found = [
        ("KL stuck at zero", "kl", _stuck(run)),
        ("chosen answers became less likely", "chosen_reward", _fall(run)),
        ("the merge rounded the adapter away", None, _rounded(run)),
    ]
    return [
        Alarm(name=name, point=run.point.id, run=run.run.id, column=column, sentence=sentence)
        for name, column, sentence in found
        if sentence
    ]


def _stuck(run: RunResults) -> str | None:
    share = run.train.kl_zero_share if run.train else None
    if share is None or share < STUCK_SHARE or run.train is None or len(run.train.history) < FEWEST_STEPS:
        return None
    return (
        f"the KL estimate was exactly 0 in {100 * share:.0f} % of the steps after the first: the loss had no reference "
        "point, so that β and the weights did not do what they are for"
    )


def _fall(run: RunResults) -> str | None:
    """By the reward, β times the log-probability, less the reference's where there is one: for the same rows' sake.

    A rising margin hides it: the rejected answers only have to fall further (arXiv 2402.13228).
    """
    rewards = [step.chosen_reward for step in run.train.history if step.chosen_reward is not None] if run.train else []
    if len(rewards) < FEWEST_STEPS:
        return None
    third = len(rewards) // 3
    first, last = rewards[:third], rewards[-third:]
    if (
        fmean(last) >= fmean(first)
        or not ttest_ind(first, last, equal_var=False, alternative="greater").pvalue < FALL_P_VALUE
    ):
        return None
    return (
        "the reward of the chosen answers, which is their log-probability times the method's factor, fell from "
        f"{_number(fmean(first))} to {_number(fmean(last))} between the first and the last third of training"
    )


def _rounded(run: RunResults) -> str | None:
    parity = run.merge.parity_max_abs_logit_difference if run.merge else None
    change = run.merge.change_max_abs_logit_difference if run.merge else None
    if parity is None or change is None or parity < ROUNDED_SHARE * change:
        return None
    return (
        f"the merged model's logits are up to {parity:.2g} off base + adapter, where the adapter changes them by up to "
        f"{change:.2g}: train in float32, or at a higher learning rate"
    )


def _answer_alarms(point: PointComparison, base: PointComparison) -> Iterator[Alarm]:
    for name, sentence in (("answers became much longer", _longer(point, base)), ("repetition rose", _loops(point))):
        if sentence:
            yield Alarm(name=name, point=point.point, run=None, sentence=sentence)


def _longer(point: PointComparison, base: PointComparison) -> str | None:
    words, usual = point.metrics.get("words"), base.metrics.get("words")
    if words and usual and _rose(words) and words.mean.estimate >= LENGTH_RATIO * usual.mean.estimate:
        return f"{words.mean.estimate:.0f} words on average, the base {usual.mean.estimate:.0f}"
    cut = point.metrics.get("truncated")
    if cut and cut.difference and _rose(cut, TRUNCATED_RISE):
        return (
            f"{value_text(cut.mean.estimate, 'share')} of the answers hit the token limit, "
            f"{signed(cut.difference.estimate, 'share')} against the base"
        )
    return None


def _loops(point: PointComparison) -> str | None:
    repetition = point.metrics.get("repetition")
    if repetition is None or repetition.difference is None or not _rose(repetition, REPETITION_RISE):
        return None
    return (
        f"{value_text(repetition.mean.estimate, 'share')} of the 4-grams repeat an earlier one of the same answer, "
        f"{signed(repetition.difference.estimate, 'share')} against the base"
    )


def _rose(measured: MetricComparison, least: float = 0.0) -> bool:
    """By at least so much, and by more than prompts and seeds explain."""
    difference = measured.difference
    return difference is not None and difference.low > 0 and difference.estimate >= least


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def alarm_text(found: Iterable[Alarm]) -> str:
    """Alarms as one cell of a table."""
    return " · ".join(f"{alarm.run or 'all seeds'}: {alarm.name}: {alarm.sentence}" for alarm in found)
