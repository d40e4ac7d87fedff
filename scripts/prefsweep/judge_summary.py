"""What a judge said of each point, in numbers: outcomes, at equal length too, the judge's own consistency, cost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prefsweep.length_control import LengthControlled, length_controlled
from prefsweep.metrics import METRICS, WIN_RATE
from prefsweep.pairing import HalfPrompts
from prefsweep.records.judge import JudgedPair, Outcome
from prefsweep.results import RunResults, StudyResults

_LENGTH = "characters"


@dataclass(frozen=True)
class JudgedPoint:
    """A point's runs against the base. Outcomes are of the test half, what is said of the judge is of both."""

    outcomes: dict[Outcome, int]
    length_controlled: LengthControlled | None
    """None where fewer than two test prompts have a verdict in every seed."""
    pairs: int
    equal_answers: int
    """Pairs of the same text, which tie without asking."""
    agreement: float | None
    """Share of the pairs with two verdicts whose orders preferred the same answer, or neither; None without any."""
    first_preferred: float | None
    """Share of them in which whichever answer came first was preferred in both orders: position bias."""
    second_preferred: float | None
    requests: int
    input_tokens: int
    output_tokens: int
    cost: float | None
    """In the price's currency; None without a price."""


def judged_point(study: StudyResults, point: str) -> JudgedPoint | None:
    """The summary of a point; None where nothing of it was judged."""
    runs = [run for run in study.of_point(point) if run.judged.pairs and run.status == "finished"]
    if not runs or study.plan.judge is None:
        return None
    test = set(HalfPrompts.of((run.scores for run in runs if run.scores), "test").ids)
    pairs = [pair for run in runs for pair in run.judged.pairs]
    ballots = [ballot for pair in pairs for ballot in pair.ballots]
    tokens = sum(ballot.input_tokens for ballot in ballots), sum(ballot.output_tokens for ballot in ballots)
    price = study.plan.judge.settings.price
    agreement, first, second = _orders(pairs)
    return JudgedPoint(
        outcomes=dict(Counter(pair.outcome for pair in pairs if pair.prompt in test)),
        length_controlled=_at_equal_length(study, runs),
        pairs=len(pairs),
        equal_answers=sum(not pair.ballots for pair in pairs),
        agreement=agreement,
        first_preferred=first,
        second_preferred=second,
        requests=sum(ballot.requests for ballot in ballots),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cost=price.cost(*tokens) if price else None,
    )


def _orders(pairs: Sequence[JudgedPair]) -> tuple[float | None, float | None, float | None]:
    """Shares of agreement, of "first" twice and of "second" twice among pairs with two verdicts."""
    choices = Counter(
        (pair.arm_first.choice, pair.opponent_first.choice)
        for pair in pairs
        if pair.arm_first and pair.opponent_first and pair.outcome != "missing"
    )
    total = choices.total()
    if not total:
        return None, None, None
    agreeing = choices["first", "second"] + choices["second", "first"] + choices["tie", "tie"]
    return agreeing / total, choices["first", "first"] / total, choices["second", "second"] / total


def _at_equal_length(study: StudyResults, runs: Sequence[RunResults]) -> LengthControlled | None:
    """Of the test prompts that have a verdict in each of these runs."""
    by_run = {run.run.id: run.scores for run in study.runs if run.scores}
    pairs = [(run.scores, by_run.get(study.plan.opponent(run.run.id))) for run in runs]
    known = [(arm, base) for arm, base in pairs if arm and base]
    prompts = HalfPrompts.of([arm for arm, _ in known], "test")
    tables = np.array([prompts.table(arm, [METRICS[WIN_RATE], METRICS[_LENGTH]]) for arm, _ in known])
    if not tables.size:
        return None
    lengths = tables[:, 1] - np.array([prompts.table(base, [METRICS[_LENGTH]])[0] for _, base in known])
    keep = np.isfinite(tables[:, 0]).all(axis=0) & np.isfinite(lengths).all(axis=0)
    clusters = prompts.clusters[keep]
    if np.unique(clusters).size < 2:
        return None
    return length_controlled(tables[:, 0, keep], lengths[:, keep], clusters)


def judge_columns(study: StudyResults, point: str) -> dict[str, str | int | float | None]:
    """The columns of `comparison.csv` that only a study with a judge has; empty without one."""
    if study.plan.judge is None:
        return {}
    found = judged_point(study, point)
    outcomes = {
        f"judge_{name}": found.outcomes.get(outcome, 0) if found else None for name, outcome in _OUTCOMES.items()
    }
    equal = found.length_controlled if found else None
    controlled = {
        "length_controlled_win_rate": equal and equal.win_rate,
        "length_controlled_low": equal and equal.low,
        "length_controlled_high": equal and equal.high,
    }
    told = {f"judge_{name}": getattr(found, name) if found else None for name in _TOLD}
    failures = [run.judged.failure for run in study.of_point(point) if run.judged.failure]
    return (
        outcomes
        | controlled
        | told
        | {"judge_failures": " · ".join(f"{f.run}: {f.failure}: {f.message}" for f in failures)}
    )


_OUTCOMES: dict[str, Outcome] = {"wins": "win", "ties": "tie", "losses": "loss", "missing": "missing"}
_TOLD = (
    "pairs", "equal_answers", "agreement", "first_preferred", "second_preferred", "requests", "input_tokens",
    "output_tokens", "cost",
)  # fmt: skip
