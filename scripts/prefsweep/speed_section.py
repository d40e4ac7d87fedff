"""The page's section on speed: whether speeds may be compared at all, then every point's, at each concurrency."""

from collections.abc import Iterable, Mapping
from typing import Any

from prefsweep.account import Table, table
from prefsweep.answer_cost import AnswerCost, against_base, answer_costs
from prefsweep.goodput import described
from prefsweep.plan import BASE, Plan
from prefsweep.results import LATENCIES, PERCENTILES, RunResults, StudyResults
from prefsweep.speed_columns import mean_speed
from prefsweep.speed_conditions import conditions, server_facts
from prefsweep.speed_control import SpeedControl, speed_controls

_ENOUGH_REQUESTS = 100
"""Of one pass; with fewer the 99th percentile lies between the two slowest."""


def speed_section(study: StudyResults) -> dict[str, Any]:
    """`checks` (sentence, whether it failed), `tables` of speeds, `costs`, `server`: empty while nothing was timed."""
    controls = [control for control in speed_controls(study).values() if control.arms]
    return {
        "checks": [*((control.reason, control.failed) for control in controls), *conditions(study)],
        "server": server_facts(study),
        "note": _note(study.plan),
        "tables": [_speeds(study, control) for control in controls],
        "resumed": _resumed(study.runs),
        "costs": [_costs(study, control) for control in controls[-1:]],
    }


def _note(plan: Plan) -> str:
    requests, asked = plan.generate.timed_requests, plan.service_level
    notes = [f"Goodput counts requests with {described(asked)}."] if asked else []
    if requests < _ENOUGH_REQUESTS:
        notes.append(f"A pass has {requests} requests: p99 is hardly more than its slowest (generate.timed_requests).")
    return " ".join(notes)


def _resumed(runs: Iterable[RunResults]) -> str:
    stopped = [
        f"{run.run.id} ({run.throughput.resumed_at})" for run in runs if run.throughput and run.throughput.resumed_at
    ]
    return (
        f" Stopped, and resumed after so many answers, whose time is left out: {', '.join(stopped)}." if stopped else ""
    )


def _speeds(study: StudyResults, control: SpeedControl) -> Table:
    """Throughput and latencies per point; against the base's only where the control lets speeds be compared."""
    compared = ["against base"] if control.verdict == "passed" else []
    rates = ["tokens/s", "requests/s", *(["goodput"] if study.plan.service_level else [])]
    heads = ["point", *compared, *rates, *(f"{name.upper()} p50 / p95 / p99" for name in LATENCIES)]
    rows, base = [], None
    for point in study.plan.points:
        means = mean_speed(study.of_point(point.id), control, study.plan)
        if not means:
            continue
        speed = means["output_tokens_per_second"]
        base = speed if point.method == BASE else base
        against = ["" if point.method == BASE else _against(speed, base)] if compared else []
        cells = [*against, *_rates(means), *(_latency(means, name) for name in LATENCIES)]
        rows.append({"name": point.label, "method": point.method, "cells": cells})
    return table(_requests(control.concurrency), heads, rows)


def _costs(study: StudyResults, control: SpeedControl) -> Table:
    """What an answer of each point takes, at the control's concurrency."""
    price, costs = study.plan.price, answer_costs(study, control)
    heads = ["point", "tokens", "cut off", "server time", "device-hours per 1,000"]
    heads += [*([f"{price.currency} per 1,000"] if price else []), "as answered, once", "against base", "because of"]
    rows = []
    for point in (point for point in study.plan.points if point.id in costs):
        ratio, why = against_base(costs, point.id, control) or (None, "")
        compared = [f"× {ratio:.2f}", why] if ratio and why else ["", ""]
        cells = [*_cost_cells(costs[point.id]), *compared]
        rows.append({"name": point.label, "method": point.method, "cells": cells})
    return table(f"An answer, {_requests(control.concurrency).lower()}", heads, rows)


def _cost_cells(cost: AnswerCost) -> list[str]:
    cells = [f"{cost.output_tokens:.1f}", f"{100 * cost.cut_share:.0f} %", _seconds(cost.seconds)]
    cells.append(f"{cost.device_hours_per_1000:#.3g}")
    if cost.money_per_1000 is not None:
        cells.append(f"{cost.money_per_1000:#.3g}")
    return [*cells, "" if cost.measured_seconds is None else _seconds(cost.measured_seconds)]


def _seconds(value: float) -> str:
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.2f} s"


def _against(speed: float, base: float | None) -> str:
    return f"{100 * (speed / base - 1):+.1f} %".replace("-", "−") if base else "n/a"


def _rates(means: Mapping[str, float]) -> list[str]:
    rates = [f"{means['output_tokens_per_second']:.1f}", f"{means['requests_per_second']:.2f}"]
    if "goodput_share" in means:
        rates.append(f"{100 * means['goodput_share']:.0f} %, {means['goodput_requests_per_second']:.2f}/s")
    return rates


def _latency(means: Mapping[str, float], name: str) -> str:
    """`112 / 140 / 151 ms`, or seconds where one of them is 10 s or more."""
    seconds = [means[f"{name}_{percentile}_seconds"] for percentile in PERCENTILES]
    if max(seconds) >= 10:
        return f"{' / '.join(f'{value:.1f}' for value in seconds)} s"
    return f"{' / '.join(f'{1000 * value:.0f}' for value in seconds)} ms"


def _requests(concurrency: int) -> str:
    return "One request at a time" if concurrency == 1 else f"{concurrency} requests at a time"
