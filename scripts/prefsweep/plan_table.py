"""A plan to read before money is spent: what each point costs, by stage, and what to know; the whole of it as CSV."""

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from prefsweep.detectable import detectable_text
from prefsweep.judge_plan import judge_costs
from prefsweep.plan import BASE, Plan, Point, Run, Stage
from prefsweep.reward_model import reward_costs
from prefsweep.search import Halving

MOST_POINTS = 40
"""With more of them a table has a row per method."""
_MOST_VALUES = 6
"""Values of a setting that are listed; more are shown as a range."""
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True)
class Cost:
    """Of several runs together. None where one of them is not known yet."""

    runs: int
    steps: int | None
    sequences: int | None
    tokens: int | None
    hours: dict[Stage, float] | None
    """Wall hours, on GPUs times the devices held, of the stages these runs have: the base is not trained."""
    disk_bytes: dict[Stage, int] | None
    guessed: frozenset[Stage]
    """Stages of which at least one run's time is a first guess."""

    @classmethod
    def of(cls, runs: Sequence[Run]) -> "Cost":
        estimates = [run.estimate for run in runs]
        stages = [stage for estimate in estimates for stage in estimate.stages]
        known = all(estimate.stages for estimate in estimates)
        hours: dict[Stage, float] = {}
        disk: dict[Stage, int] = {}
        for stage in stages:
            hours[stage.stage] = hours.get(stage.stage, 0) + stage.seconds * (stage.gpus or 1) / 3600
            disk[stage.stage] = disk.get(stage.stage, 0) + stage.disk_bytes
        return cls(
            runs=len(runs),
            steps=_sum(estimate.steps for estimate in estimates),
            sequences=_sum(estimate.sequences for estimate in estimates),
            tokens=_sum(estimate.tokens for estimate in estimates),
            hours=hours if known else None,
            disk_bytes=disk if known else None,
            guessed=frozenset(stage.stage for stage in stages if stage.basis == "first guess"),
        )


def _sum(values: Iterable[int | None]) -> int | None:
    listed = list(values)
    return None if None in listed else sum(value or 0 for value in listed)


def as_csv(plan: Plan) -> str:
    """One row per point, for all its seeds: what it is, what it costs by stage, and what that rests on."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    unit = "gpu_hours" if plan.device == "cuda" else "hours"
    stages = [f"{stage}_{what}" for stage in STAGES for what in (unit, "disk_bytes", "basis")]
    writer.writerow(["point", "method", "label", "runs", "steps", "sequences", "tokens", *stages, "objective"])
    for point in plan.points:
        cost = Cost.of(plan.runs_by_point[point.id])
        row: list[Any] = [point.id, point.method, point.label, cost.runs, cost.steps, cost.sequences, cost.tokens]
        for stage in STAGES:
            if cost.hours is None or cost.disk_bytes is None or stage not in cost.hours:
                row += [None, None, None]
            else:
                basis = "first guess" if stage in cost.guessed else "finished runs"
                row += [round(cost.hours[stage], 5), cost.disk_bytes[stage], basis]
        writer.writerow([*row, point.objective])
    return out.getvalue()


def show(plan: Plan, console: Console) -> None:
    """Print the plan: points (methods, of many points), costs, objectives, model and data, notices."""
    grouped = len(plan.points) > MOST_POINTS
    groups = _by_method(plan.points) if grouped else [[point] for point in plan.points]
    everything = Cost.of(plan.runs)
    console.print(_cost_table(plan, groups, everything))
    asked = judge_costs(plan.judge) + reward_costs(plan.reward_model, len(plan.runs), plan.data.heldout_rows)
    for line in [*_explained(plan, everything, grouped), *map(escape, asked)]:
        console.print(line, highlight=False)
    console.print(Text("effective objectives", style="bold"))
    for points in groups:
        example = " (for example)" if len(points) > 1 else ""
        console.print(
            f"  [dim]{escape(points[0].label)}{example}:[/dim] {escape(points[0].objective)}", highlight=False
        )
    rows = "unknown until fetched" if plan.data.rows is None else f"{plan.data.rows:,} rows"
    console.print(f"model {plan.model.name} ({plan.model.source}) · data {plan.data.name} ({rows})", highlight=False)
    for line in plan.data.formats:
        console.print(f"  [dim]{escape(line)}[/dim]", highlight=False)
    console.print(f"primary metric {plan.primary_metric} · smallest worthwhile effect {plan.smallest_effect:g}")
    console.print(detectable_text(plan), highlight=False)
    one_seed = ["One seed: results are about these checkpoints, not about the methods."]
    for notice in [*(one_seed if len(plan.seeds) == 1 else []), *plan.notices]:
        console.print(f"[yellow]note[/yellow] {escape(notice)}", highlight=False)


def show_together(plans: Sequence[Plan], console: Console) -> None:
    """Print what several studies of one file cost, each in a row, and all of them."""
    table = _table(plans[0], "all studies", "study")
    for plan in plans:
        table.add_row(plan.study, *_cells(Cost.of(plan.runs)))
    table.add_section()
    table.add_row("all", *_cells(Cost.of([run for plan in plans for run in plan.runs])))
    console.print(table)


def _by_method(points: Iterable[Point]) -> list[list[Point]]:
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(point.method, []).append(point)
    return list(groups.values())


def _cost_table(plan: Plan, groups: Sequence[Sequence[Point]], everything: Cost) -> Table:
    seeds = ", ".join(map(str, plan.seeds))
    table = _table(plan, f"{plan.study}: {len(plan.points):,} points × seeds {seeds} on {plan.device}", "point")
    for points in groups:
        runs = [run for point in points for run in plan.runs_by_point[point.id]]
        table.add_row(_named(points), *_cells(Cost.of(runs)))
    table.add_section()
    table.add_row("all", *_cells(everything))
    return table


def _table(plan: Plan, title: str, first: str) -> Table:
    """An empty table of costs."""
    unit = "GPU-h" if plan.device == "cuda" else "h"
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column(first, overflow="fold")
    for column in ("runs", "steps", "sequences", "tokens", *(f"{stage} {unit}" for stage in STAGES), "disk"):
        table.add_column(column, justify="right")
    return table


def _named(points: Sequence[Point]) -> RenderableType:
    first = points[0]
    if len(points) == 1:
        return Group(Text(first.label), Text(first.id, style="dim"))
    varied = [f"{key} {_span([point.settings.get(key) for point in points])}" for key in _varied(points)]
    return Group(Text(f"{first.method}: {len(points):,} points"), Text(" · ".join(varied), style="dim"))


def _varied(points: Sequence[Point]) -> list[str]:
    return [key for key in points[0].settings if len({str(point.settings.get(key)) for point in points}) > 1]


def _span(values: Sequence[Any]) -> str:
    """Distinct values, or of many numbers the smallest and the largest."""
    distinct = list({str(value): value for value in values}.values())
    if len(distinct) > _MOST_VALUES and all(isinstance(value, int | float) for value in distinct):
        return f"{min(distinct):g}–{max(distinct):g}"
    shown = [f"{value:g}" if isinstance(value, int | float) else str(value) for value in distinct]
    return ", ".join(shown)


def _cells(cost: Cost) -> list[str]:
    counts = [cost.steps, cost.sequences, cost.tokens]
    numbers = ["?" if number is None else f"{number:,}" for number in counts]
    disk = "?" if cost.disk_bytes is None else _size(sum(cost.disk_bytes.values()))
    return [f"{cost.runs:,}", *numbers, *(_hours(cost, stage) for stage in STAGES), disk]


def _hours(cost: Cost, stage: Stage) -> str:
    if cost.hours is None:
        return "?"
    if stage not in cost.hours:
        return "–"
    return f"{'~' if stage in cost.guessed else ''}{cost.hours[stage]:,.2f}"


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"


def _explained(plan: Plan, everything: Cost, grouped: bool) -> list[str]:
    lines = []
    if everything.hours is None:
        why = "the data have" if plan.data.rows is None else "the model has"
        lines.append(f"? unknown until {why} been fetched (`snakemake prefetch`)")
    elif everything.disk_bytes:
        unit = "GPU-hours" if plan.device == "cuda" else "hours, one run after the other"
        parts = " · ".join(f"{stage} {_size(count)}" for stage, count in everything.disk_bytes.items())
        total = sum(everything.hours.values())
        lines.append(f"all together {total:,.1f} {unit} · disk: {parts}; merged models go with `snakemake tidy`")
    if plan.halving:
        lines.append(_halved(plan, everything))
    if everything.guessed:
        lines.append("~ a first guess, from the model's size: no run like it has finished here yet (docs/plan.md)")
    if grouped:
        lines.append(f"every point: results/{plan.study}/plan.csv, and with its settings plan.json")
    return lines


def _halved(plan: Plan, everything: Cost) -> str:
    """What screening leaves of the table's costs, which are those of training every point to the end."""
    assert plan.halving is not None
    trained = [point.method for point in plan.points if point.method != BASE]
    groups = Counter(trained if plan.halving.within == "method" else ["study"] * len(trained))
    kept = sum(_kept(count, plan.halving) for count in groups.values())
    told = f"halving: points are compared at {plan.halving.rungs} rungs, {kept:,} of {groups.total():,} go to the end"
    if everything.hours is None:
        return told
    base = Cost.of([run for run in plan.runs if plan.point_of(run.id).method == BASE])
    untouched = sum(base.hours.values()) if base.hours else 0.0
    screened = _screened_hours(plan)
    confirmed = (sum(everything.hours.values()) - untouched) * kept / groups.total() + untouched
    return f"{told}: about {screened + confirmed:,.1f} hours, {screened:,.1f} of them for screening"


def _screened_hours(plan: Plan) -> float:
    """Each rung's mean cost times the points that reach it."""
    assert plan.halving is not None
    share = 1.0
    hours = 0.0
    for rung in range(1, plan.halving.rungs + 1):
        cost = Cost.of([run for run in plan.screening if run.rung == rung])
        hours += sum((cost.hours or {}).values()) * share
        share *= plan.halving.keep
    return hours


def _kept(points: int, halving: Halving) -> int:
    for _ in range(halving.rungs):
        points = math.ceil(halving.keep * points)
    return points
