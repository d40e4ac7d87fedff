"""Speed as columns of `runs.csv` and `comparison.csv`, beside what says whether it may be compared."""

from collections.abc import Iterable, Mapping
from statistics import fmean

from prefsweep.goodput import goodput
from prefsweep.plan import Plan
from prefsweep.results import SERVING_COLUMNS, RunResults
from prefsweep.speed_conditions import client_share, other_cpu_share
from prefsweep.speed_control import SpeedControl

Columns = dict[str, str | int | float | bool | None]
GOODPUT_COLUMNS = ("goodput_share", "goodput_requests_per_second")
"""Only where the study states a service level."""


def run_speed(run: RunResults, controls: Mapping[int, SpeedControl], plan: Plan) -> Columns:
    """One run's: each column at the highest concurrency, then at each; empty where the run was not timed."""
    measured = {concurrency: _of_run(run, control, plan) for concurrency, control in controls.items()}
    columns: Columns = {}
    for column in measured[max(measured)]:
        columns[column] = measured[max(measured)][column]
        columns |= {f"{column}_at_{concurrency}": values[column] for concurrency, values in measured.items()}
    return columns


def _of_run(run: RunResults, control: SpeedControl, plan: Plan) -> Columns:
    columns: Columns = dict.fromkeys((*SERVING_COLUMNS, *GOODPUT_COLUMNS))
    columns |= _speed(run, control.concurrency, plan)
    own, passes = control.by_run.get(run.run.id), run.passes(control.concurrency)
    return columns | {
        "client_share": client_share(passes),
        "other_cpu_share": other_cpu_share(passes),
        "speed_repeat_spread": own.repeat_spread if own else None,
        "speed_deviation": own.output_tokens_per_second / control.typical - 1 if own else None,
        "speed_control": control.verdict if own else None,
    }


def _speed(run: RunResults, concurrency: int, plan: Plan) -> dict[str, float]:
    passes = run.passes(concurrency)
    if not passes or not plan.service_level:
        return run.serving(concurrency)
    good = goodput(passes, plan.service_level)
    return run.serving(concurrency) | dict(zip(GOODPUT_COLUMNS, (good.share, good.requests_per_second), strict=True))


def point_speed(runs: Iterable[RunResults], control: SpeedControl, plan: Plan) -> Columns:
    """One point's, at the control's concurrency."""
    columns: Columns = dict.fromkeys((*SERVING_COLUMNS, *GOODPUT_COLUMNS))
    means = mean_speed(runs, control, plan)
    columns |= means
    return columns | {
        "speed_spread": control.spread if means else None,
        "speed_control": control.verdict if means else None,
    }


def mean_speed(runs: Iterable[RunResults], control: SpeedControl, plan: Plan) -> dict[str, float]:
    """The same as means over those of the runs that are arms of the control; empty where none is."""
    speeds = [_speed(run, control.concurrency, plan) for run in runs if run.run.id in control.by_run]
    return {column: fmean(speed[column] for speed in speeds) for column in speeds[0]} if speeds else {}
