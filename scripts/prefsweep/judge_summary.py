"""What a judge said of each point, in numbers: outcomes, at equal length too, the judge's own consistency, cost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from prefsweep.comparison import Comparison
from prefsweep.pairing import HalfPrompts
from prefsweep.records.judge import JudgedPair, Outcome
from prefsweep.results import StudyResults
from prefsweep.settings import TokenPrice
from prefsweep.table import Row, fields

OUTCOME_COLUMNS: dict[str, Outcome] = {"wins": "win", "ties": "tie", "losses": "loss", "missing": "missing"}
LENGTH_CONTROLLED_COLUMNS = {
    "length_controlled_win_rate": "win_rate",
    "length_controlled_low": "low",
    "length_controlled_high": "high",
}
"""Column → field of a `LengthControlled`."""


@dataclass(frozen=True)
class Trust:
    """What a set of judged pairs says of the judge itself, and what they took."""

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


TRUST_COLUMNS = {f"judge_{name}": name for name in Trust.__dataclass_fields__}


def trust(pairs: Sequence[JudgedPair], price: TokenPrice | None) -> Trust:
    """The summary of pairs that were judged."""
    ballots = [ballot for pair in pairs for ballot in pair.ballots]
    tokens = sum(ballot.input_tokens for ballot in ballots), sum(ballot.output_tokens for ballot in ballots)
    agreement, first, second = _orders(pairs)
    return Trust(
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


def judge_columns(study: StudyResults, comparison: Comparison, point: str) -> Row:
    """The columns of `comparison.csv` that only a study with a judge has; empty without one.

    Outcomes are of the test half, what is said of the judge is of both.
    """
    if study.plan.judge is None:
        return {}
    runs = [run for run in study.of_point(point) if run.judged.pairs and run.status == "finished"]
    test = set(HalfPrompts.of((run.scores for run in runs if run.scores), "test").ids)
    pairs = [pair for run in runs for pair in run.judged.pairs]
    outcomes = Counter(pair.outcome for pair in pairs if pair.prompt in test)
    row: Row = {f"judge_{name}": outcomes[outcome] if runs else None for name, outcome in OUTCOME_COLUMNS.items()}
    row |= fields(comparison.point(point).length_controlled, LENGTH_CONTROLLED_COLUMNS)
    row |= fields(trust(pairs, study.plan.judge.settings.price) if runs else None, TRUST_COLUMNS)
    failures = [run.judged.failure for run in study.of_point(point) if run.judged.failure]
    return row | {"judge_failures": " · ".join(f"{f.run}: {f.failure}: {f.message}" for f in failures)}
