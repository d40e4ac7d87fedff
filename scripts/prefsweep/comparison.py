"""The comparison of a study's points with the untouched model: what the report says about quality, decided
once.

Every finished run is paired with the base by seed and prompt. Hyperparameters are chosen on the development
half of the held-out prompts; everything else is reported on the test half.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from prefsweep.failures import Failure
from prefsweep.findings import Findings, find
from prefsweep.length_control import LengthControlled
from prefsweep.lessons import Lessons, learn
from prefsweep.metrics import Direction, Metric
from prefsweep.pairing import MetricComparison
from prefsweep.plan import BASE, Plan, Point
from prefsweep.records.base import Record
from prefsweep.records.judge import RivalVerdict
from prefsweep.records.measure import Evaluation
from prefsweep.results import StudyResults
from prefsweep.rivals import RivalComparison, compare_rivals
from prefsweep.score_table import ScoreTable
from prefsweep.statistics import ALPHA, DRAWS, POWER, Interval
from prefsweep.tax import TaskTax, alignment_tax
from prefsweep.verdict import Verdict, caveats, decide, headline
from prefsweep.wording import count, joined

__all__ = [
    "Comparison",
    "Direction",
    "Interval",
    "Metric",
    "MetricComparison",
    "PointComparison",
    "Verdict",
    "compare",
    "compared",
]

_REFERENCE = "reference: the untouched model that every point is compared with"


class PointComparison(Record):
    """One row of the comparison."""

    point: str
    method: str
    label: str
    seeds_planned: list[int]
    seeds_finished: list[int]
    seeds_failed: list[int]
    metrics: dict[str, MetricComparison]
    """By name, on the test half; a metric that fewer than two prompts have is absent."""
    development: MetricComparison | None
    """The primary metric on the development half: for selection only."""
    p_adjusted: float | None
    """Holm-adjusted over `Comparison.family`: primary metric, test half, difference to the base."""
    p_equivalence_adjusted: float | None
    """The same for the test that this difference is smaller than `Comparison.smallest_effect`."""
    length_controlled: LengthControlled | None
    """The win rate against the base at equal length, on the test half; None without a judge."""
    verdict: Verdict
    reason: str
    """One sentence that begins with the verdict."""
    caveats: list[str]
    """What limits the verdict, such as "one seed: this checkpoint, not this method"."""
    best_of_method: bool
    """Best of its method's points on the development half."""
    failures: list[Failure]


class Comparison(Record):
    """Everything the report says about quality. Points are in the plan's order."""

    study: str
    primary_metric: str
    direction: Direction
    unit: str
    smallest_effect: float
    alpha: float
    power: float
    draws: int
    development_prompts: int
    test_prompts: int
    metrics: list[Metric]
    """The catalogue entries of the metrics that occur, in the catalogue's order."""
    family: list[str]
    """The points whose differences Holm's correction is over: all but the base and what screening stopped."""
    points: list[PointComparison]
    tax: list[TaskTax]
    """What lm-eval's tasks say, for the same family; no verdict rests on it."""
    rivals: list[RivalComparison]
    """The methods' best points against each other, where the study's judge is asked to compare them."""
    lessons: Lessons
    """What the points of a method say about its settings; no verdict rests on it."""
    recommended: str | None
    """The best point but the base on the development half; None when there was nothing to choose by."""
    headline: str
    """A few sentences for the top of the page."""
    notices: list[str]
    """What the comparison itself noticed, such as missing metrics; `Plan.notices` are apart."""

    def point(self, point: str) -> PointComparison:
        """The row of a point. Raises KeyError when there is none."""
        for row in self.points:
            if row.point == point:
                return row
        raise KeyError(point)


def compared(study: StudyResults) -> Comparison:
    """The comparison over a study's runs that finished."""
    finished = study.with_status("finished")
    return compare(
        study.plan,
        {run.run.id: run.scores for run in finished if run.scores},
        [failure for run in study.runs for failure in run.failures],
        {run.run.id: run.evaluation for run in finished if run.evaluation},
        study.stops,
        study.rivals.verdicts,
    )


def compare(
    plan: Plan,
    scores: Mapping[str, ScoreTable],
    failures: Iterable[Failure],
    evaluations: Mapping[str, Evaluation],
    stopped: Mapping[str, str] | None = None,
    rivals: Iterable[RivalVerdict] = (),
) -> Comparison:
    """Compare every point of the plan with the base.

    `scores` and `evaluations` are by run id, as far as they exist; `stopped` says of points why screening stopped
    them; `rivals` are a judge's verdicts on two trained runs each. A run with a failure counts as failed whatever else
    it left. Raises ValueError when the primary metric is unknown or has no better direction; everything that is merely
    missing becomes a verdict with its reason.
    """
    failures = list(failures)
    findings = find(plan, scores, frozenset(failure.run for failure in failures), stopped or {})
    rows = [_row(findings, point, failures) for point in plan.points]
    recommended = findings.best(findings.family)
    return Comparison(
        study=plan.study,
        primary_metric=findings.primary.name,
        direction=findings.primary.direction,
        unit=findings.primary.unit,
        smallest_effect=plan.smallest_effect,
        alpha=ALPHA,
        power=POWER,
        draws=DRAWS,
        development_prompts=len(findings.development_prompts.ids),
        test_prompts=len(findings.test_prompts.ids),
        metrics=findings.metrics,
        family=findings.family,
        points=rows,
        tax=alignment_tax(
            plan, {run: found for run, found in evaluations.items() if run in findings.finished}, findings.family
        ),
        rivals=compare_rivals(findings, rivals),
        lessons=learn(findings),
        recommended=recommended,
        headline=_headline(findings, rows, recommended),
        notices=_notices(findings),
    )


def _row(findings: Findings, point: Point, failures: list[Failure]) -> PointComparison:
    evidence = findings.evidence(point.id)
    is_base = point.method == BASE
    verdict, reason = decide(evidence)
    if is_base and evidence.finished:
        verdict, reason = "reference", _REFERENCE
    return PointComparison(
        point=point.id,
        method=point.method,
        label=point.label,
        seeds_planned=[run.seed for run in findings.runs[point.id]],
        seeds_finished=findings.seeds(point.id, findings.finished),
        seeds_failed=findings.seeds(point.id, findings.failed),
        metrics=findings.test[point.id],
        development=findings.development[point.id].get(findings.primary.name),
        p_adjusted=findings.p_adjusted.get(point.id),
        p_equivalence_adjusted=findings.p_equivalence_adjusted.get(point.id),
        length_controlled=findings.at_equal_length(point.id),
        verdict=verdict,
        reason=reason,
        caveats=[] if is_base else caveats(evidence),
        best_of_method=findings.best_of_method(point.method) == point.id,
        failures=[f for f in failures if f.run.partition("/")[0] == point.id],
    )


def _headline(findings: Findings, rows: list[PointComparison], recommended: str | None) -> str:
    if recommended is None:
        return _nothing_to_recommend(findings)
    row = next(row for row in rows if row.point == recommended)
    choices = sum(bool(findings.development[point]) for point in findings.family)
    base = findings.test.get(findings.base or "", {}).get(findings.primary.name)
    text = headline(row.label, choices, len(findings.stopped), findings.evidence(recommended), base)
    others = [other.label for other in rows if other.verdict == "better" and other.point != recommended]
    if row.verdict == "better" or not others:
        return text
    return f"{text} Better than the untouched model on the test half all the same: {joined(others)}."


def _nothing_to_recommend(findings: Findings) -> str:
    """What is so instead: nothing has finished, everything failed, or there is too little to choose by."""
    trained = {run.id for point in findings.family for run in findings.runs[point]}
    if trained & findings.finished.keys():
        return "Not resolved: no point has scores on two development prompts to be chosen by."
    kept = {run.id for point, runs in findings.runs.items() if point not in findings.stopped for run in runs}
    kind, runs = ("trained run", trained) if findings.finished else ("run", kept)
    failed = len(runs & findings.failed)
    if runs and failed == len(runs):
        return f"Every {kind} failed: there is nothing to compare; what to do is said with each of them."
    return f"No {kind} has finished yet" + (f": {failed:,} of {count(len(runs), kind)} failed." if failed else "")


def _notices(findings: Findings) -> list[str]:
    """Missing values and unequal chances, each in a sentence."""
    notices = []
    for metric in findings.metrics:
        lacking = [run for run, scores in findings.finished.items() if metric.name not in scores.metrics]
        if lacking:
            notices.append(f"{metric.name} is missing in {joined(lacking)}: left out there, not counted as zero.")
        excluded = max((f[metric.name].excluded_prompts for f in findings.test.values() if metric.name in f), default=0)
        if excluded:
            notices.append(f"{metric.name}: up to {count(excluded, 'test prompt')} without it in some run, left out.")
    if findings.stopped:
        points = count(len(findings.plan.points) - 1, "point")
        notices.append(f"Screening stopped {len(findings.stopped)} of {points}; they are compared with none.")
    tried = Counter(p.method for p in findings.plan.points if findings.development[p.id] and p.method != BASE)
    if len(set(tried.values())) > 1:
        numbers = joined([f"{method} {number}" for method, number in tried.items()])
        notices.append(f"Methods had unequal numbers of points to choose from ({numbers}): more tries, better best.")
    return notices
