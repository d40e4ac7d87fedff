"""What an answer costs to serve: its natural length × the time of a token, in seconds, device-hours and money.

All arms have one shape, so the time of a token is the study's, not the arm's: that of the median arm at the highest
concurrency. What makes one arm's answers dearer is their length; a slower arm is measurement error, and only said.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from prefsweep.plan import BASE, Plan
from prefsweep.results import RunResults, StudyResults
from prefsweep.speed_control import SpeedControl

COST_COLUMNS = {
    "output_tokens_per_answer": "output_tokens",
    "server_seconds_per_answer": "seconds",
    "device_hours_per_1000_answers": "device_hours_per_1000",
    "cost_per_1000_answers": "money_per_1000",
}
"""Column of `runs.csv` and `comparison.csv` → field of `AnswerCost`."""

_AS_LONG = 0.005
"""Lengths this near to each other, as a share, are called equal."""


@dataclass(frozen=True)
class AnswerCost:
    """Of a point's answers or of one run's, at the study's highest concurrency."""

    output_tokens: float
    """Of a natural answer, on average."""
    cut_share: float
    """Of the answers, those that ended at `generate.max_tokens`: they would have been longer."""
    seconds: float
    """Of the server for one answer, while it works on as many requests as the concurrency says."""
    device_hours_per_1000: float
    money_per_1000: float | None
    """In the study's currency; None where it states no price."""
    measured_seconds: float | None
    """The natural answers' own wall time / their number: once, without repeats, as a check of `seconds`. Without runs
    whose answers were resumed; None where that leaves none."""
    own_speed: float
    """Measured output tokens per second of these runs; not used, because all arms' must tie."""


def answer_costs(study: StudyResults, control: SpeedControl) -> dict[str, AnswerCost]:
    """Point → what its answers cost, of the points that have a finished run; `control` is the highest concurrency's."""
    costs = {point.id: answer_cost(study.of_point(point.id), control, study.plan) for point in study.plan.points}
    return {point: cost for point, cost in costs.items() if cost}


def answer_cost(runs: Iterable[RunResults], control: SpeedControl, plan: Plan) -> AnswerCost | None:
    """Means over those of the runs that are arms of the control; None where none is."""
    served = [run.throughput for run in runs if run.run.id in control.by_run and run.throughput]
    if not served:
        return None
    tokens = fmean(one.natural_output_tokens / one.natural_answers for one in served)
    seconds = tokens / control.typical
    walls = [one.natural_wall_seconds / one.natural_answers for one in served if one.natural_wall_seconds is not None]
    hours = 1000 * seconds * plan.generate.tensor_parallel / 3600
    return AnswerCost(
        output_tokens=tokens,
        cut_share=fmean(one.natural_cut_answers / one.natural_answers for one in served),
        seconds=seconds,
        device_hours_per_1000=hours,
        money_per_1000=hours * plan.price.per_hour if plan.price else None,
        measured_seconds=fmean(walls) if walls else None,
        own_speed=fmean(control.by_run[one.run].output_tokens_per_second for one in served),
    )


def against_base(costs: Mapping[str, AnswerCost], point: str, control: SpeedControl) -> tuple[float, str] | None:
    """How many times as much a point's answer costs as the base's, and why; None where one of them has no cost."""
    base = next((cost for name, cost in costs.items() if name.startswith(f"{BASE}-")), None)
    cost = costs.get(point)
    if base is None or cost is None:
        return None
    ratio = cost.output_tokens / base.output_tokens
    return ratio, "" if cost is base else _reason(cost, ratio - 1, cost.own_speed / base.own_speed - 1, control)


def _reason(cost: AnswerCost, longer: float, faster: float, control: SpeedControl) -> str:
    length = "answers as long" if abs(longer) < _AS_LONG else f"answers {_percent(longer, 'longer', 'shorter')}"
    cut = f", {100 * cost.cut_share:.0f} % of them cut off" if cost.cut_share else ""
    if not control.failed:
        return f"{length}{cut}"
    return f"{length}{cut}; tokens measured {_percent(faster, 'faster', 'slower')}: error, not counted"


def _percent(share: float, more: str, less: str) -> str:
    return f"{100 * abs(share):.0f} % {more if share > 0 else less}"
