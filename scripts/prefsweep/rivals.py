"""The methods against each other: their best points by a judge's direct comparison, not by way of the base.

Which points meet is decided on the development half, what comes of it is reported on the test half.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from prefsweep.findings import Findings
from prefsweep.length_control import LengthControlled, at_equal_length
from prefsweep.metrics import METRICS, WIN_RATE
from prefsweep.pairing import HalfPrompts, MetricComparison, compare_metrics
from prefsweep.plan import BASE
from prefsweep.records.base import Record
from prefsweep.records.judge import RivalVerdict
from prefsweep.statistics import ALPHA, Array, holm
from prefsweep.verdict import Evidence, Verdict, caveats, decide
from prefsweep.wording import count

Meeting = tuple[str, str]
"""A run and its opponent, or the points that they are of."""


class RivalComparison(Record):
    """Two points by what the judge said of them, on the test half."""

    point: str
    opponent: str
    meetings: list[Meeting]
    """The runs that are to meet: both of one seed, both finished."""
    seeds: list[int]
    """Those of which the judge has said anything."""
    win_rate: MetricComparison | None
    """The point's; its difference is to one half. None where fewer than two prompts have a verdict in every seed."""
    length_controlled: LengthControlled | None
    """The point's win rate if both answers were equally long."""
    p_adjusted: float | None
    """Holm-adjusted over all pairs that are to meet, judged or not."""
    verdict: Verdict
    """On the point: better or worse than its opponent."""
    reason: str
    """One sentence that begins with the verdict."""
    caveats: list[str]


@dataclass(frozen=True)
class _Pair:
    """Two points whose runs are to meet, by seed, and what was said of those that have met."""

    points: Meeting
    runs: dict[int, Meeting]
    said: dict[int, Sequence[RivalVerdict]]


def compare_rivals(findings: Findings, verdicts: Iterable[RivalVerdict]) -> list[RivalComparison]:
    """Every pair that is to meet; none unless the study asks for it.

    Verdicts on others do not count, such as on what was the best point before another run had finished.
    """
    said: dict[Meeting, list[RivalVerdict]] = {}
    for verdict in verdicts:
        said.setdefault((verdict.run, verdict.opponent), []).append(verdict)
    pairs = [_pair(findings, points, said) for points in rival_pairs(findings)]
    measured = [_win_rate(pair, findings.test_prompts, ALPHA / len(pairs)) for pair in pairs]
    p_values = [found.difference.p_value if found and found.difference else None for found in measured]
    adjusted = holm([1.0 if p_value is None else p_value for p_value in p_values])
    return [
        _compared(findings, pair, found, None if p_value is None else p_adjusted, ALPHA / len(pairs))
        for pair, found, p_value, p_adjusted in zip(pairs, measured, p_values, adjusted, strict=True)
    ]


def rival_pairs(findings: Findings) -> list[Meeting]:
    """The points that are to meet: the best of each method on the development half, in the plan's order."""
    judge = findings.plan.judge
    if judge is None or judge.settings.rivals == "none":
        return []
    methods = dict.fromkeys(point.method for point in findings.plan.points if point.method != BASE)
    best = [point for method in methods if (point := findings.best_of_method(method))]
    recommended = findings.best(findings.family)
    if judge.settings.rivals == "recommended" and recommended:
        return [(recommended, other) for other in best if other != recommended]
    return list(combinations(best, 2))


def _pair(findings: Findings, points: Meeting, said: Mapping[Meeting, Sequence[RivalVerdict]]) -> _Pair:
    own, others = (
        {run.seed: run.id for run in findings.runs[point] if run.id in findings.finished} for point in points
    )
    runs = {seed: (run, others[seed]) for seed, run in own.items() if seed in others}
    return _Pair(points, runs, {seed: said[meeting] for seed, meeting in runs.items() if meeting in said})


def _rates(pair: _Pair, prompts: HalfPrompts) -> Array:
    """The point's 1, ½ or 0 for each prompt, shape (seeds, prompts), NaN where there is no verdict."""
    rates = [{row.prompt: row.win_rate for row in rows} for rows in pair.said.values()]
    known = [[math.nan if (rate := own.get(name)) is None else rate for name in prompts.ids] for own in rates]
    return np.array(known, dtype=float).reshape(len(rates), len(prompts.ids))


def _win_rate(pair: _Pair, prompts: HalfPrompts, alpha: float) -> MetricComparison | None:
    """As of any metric, against an arm that wins half of every prompt that was judged."""
    metric = METRICS[WIN_RATE]
    asked = {row.prompt for rows in pair.said.values() for row in rows}
    half = np.array([[0.5 if name in asked else math.nan for name in prompts.ids]])
    arm = {seed: row[np.newaxis] for seed, row in zip(pair.said, _rates(pair, prompts), strict=True)}
    return compare_metrics(arm, {0: half}, prompts, [metric], {WIN_RATE: alpha}).get(WIN_RATE)


def _compared(
    findings: Findings, pair: _Pair, found: MetricComparison | None, p_adjusted: float | None, strictest_alpha: float
) -> RivalComparison:
    plan = findings.plan
    evidence = Evidence(
        metric=METRICS[WIN_RATE],
        primary=found,
        p_adjusted=p_adjusted,
        p_equivalence_adjusted=None,
        strictest_alpha=strictest_alpha,
        smallest_effect=plan.smallest_effect if plan.primary_metric == WIN_RATE else 0.0,
        finished=len(pair.said),
        failed=0,
        planned=len(plan.seeds),
    )
    verdict, reason = _decide(evidence)
    own, others = ([findings.finished[pair.runs[seed][side]] for seed in pair.said] for side in (0, 1))
    return RivalComparison(
        point=pair.points[0],
        opponent=pair.points[1],
        meetings=list(pair.runs.values()),
        seeds=list(pair.said),
        win_rate=found,
        length_controlled=at_equal_length(_rates(pair, findings.test_prompts), own, others, findings.test_prompts),
        p_adjusted=p_adjusted,
        verdict=verdict,
        reason=reason,
        caveats=caveats(evidence),
    )


def _decide(evidence: Evidence) -> tuple[Verdict, str]:
    """The rule of any metric, and no claim while a planned seed lacks: it may have failed for either side."""
    if evidence.finished == 0:
        return "not finished", "not finished: the judge has not compared them yet"
    if evidence.primary is None:
        return "not resolved", "not resolved: fewer than two test prompts have a verdict in every seed"
    verdict, reason = decide(evidence)
    if verdict != "not resolved" and (lacking := evidence.planned - evidence.seeds):
        what = f"{lacking} of {count(evidence.planned, 'seed')} lacks verdicts, which may have gone either way"
        return "not resolved", f"not resolved: {what}"
    return verdict, reason
