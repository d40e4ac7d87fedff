"""What a judge left of one run, and the win rate that its verdicts give each prompt.

It is joined to the scores where they are read, not where they are made: a judge that cannot be reached costs a run
nothing but its win rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from prefsweep.failures import Failure
from prefsweep.metric_kinds.judgement import win_rate
from prefsweep.metrics import WIN_RATE
from prefsweep.plan import BASE, Plan
from prefsweep.records.judge import JudgedPair, JudgeRecord
from prefsweep.records.score import Scores


@dataclass(frozen=True)
class Judged:
    """A run's verdicts, in the order in which they were made; none where judging failed or has not begun."""

    record: JudgeRecord | None = None
    pairs: tuple[JudgedPair, ...] = ()
    failure: Failure | None = None

    @classmethod
    def of(
        cls, plan: Plan, record: JudgeRecord | None, pairs: Sequence[JudgedPair] | None, failure: Failure | None
    ) -> "Judged":
        """What counts of it: verdicts of another judge than the plan's, or asked otherwise, are none."""
        if plan.judge is None:
            return cls()
        if record is None or pairs is None or record.asked != plan.judge.asked:
            return cls(failure=failure)
        return cls(record, tuple(pairs), failure)


def with_win_rate(scores: Scores, plan: Plan, judged: Judged) -> Scores:
    """The scores of a run with the win rate of each prompt that has a verdict.

    Against itself the base wins half of every prompt by definition, so that a point's difference to it is its win rate
    less one half, with the intervals and tests of any other metric.
    """
    if plan.judge is None:
        return scores
    rates = {pair.prompt: win_rate(pair) for pair in judged.pairs}
    if plan.point_of(scores.run).method == BASE:
        prompts = ((row.prompt, row.half) for row in scores.prompts)
        rates = dict.fromkeys(plan.judge.judged(prompts), 0.5)
    rows = [
        row
        if (rate := rates.get(row.prompt)) is None
        else row.model_copy(update={"metrics": {**row.metrics, WIN_RATE: rate}})
        for row in scores.prompts
    ]
    return scores.model_copy(update={"prompts": rows})
