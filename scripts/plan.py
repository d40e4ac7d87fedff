"""Print a study's plan.json as a table to read before spending money."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from prefsweep.plan import Estimate, Plan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path, help="results/<study>/plan.json")
    show(Plan.read(parser.parse_args().plan))


def show(plan: Plan) -> None:
    """Print points, seeds, steps, sequences, time, disk and notices to stdout."""
    console = Console(file=sys.stdout, soft_wrap=False)
    table = Table(title=f"{plan.study}: {len(plan.points)} points × seeds {plan.seeds} on {plan.device}", expand=True)
    for column in ("point", "effective objective"):
        table.add_column(column, overflow="fold")
    for column in ("runs", "steps", "sequences", "hours", "disk"):
        table.add_column(column, justify="right")
    for point in plan.points:
        estimates = [run.estimate for run in plan.runs if run.point == point.id]
        table.add_row(
            f"{point.label}\n[dim]{point.id}[/dim]",
            escape(point.objective),
            str(len(estimates)),
            *totals(estimates),
        )
    table.add_section()
    everything = [run.estimate for run in plan.runs]
    table.add_row("all", "", str(len(everything)), *totals(everything))
    console.print(table)
    rows = "unknown until fetched" if plan.data.rows is None else f"{plan.data.rows} rows"
    console.print(f"model {plan.model.name} ({plan.model.source}) · data {plan.data.name} ({rows})", highlight=False)
    console.print(f"primary metric {plan.primary_metric} · smallest worthwhile effect {plan.smallest_effect:g}")
    if any(estimate.seconds is None for estimate in everything):
        console.print("hours: “?” until a run of the same model and method has finished here")
    for notice in plan.notices:
        console.print(f"[yellow]note[/yellow] {notice}", highlight=False)


def totals(estimates: list[Estimate]) -> list[str]:
    """Steps, sequences, hours and disk of several runs; `?` where one of them is unknown."""

    def total(values: list[float | None], shown: str) -> str:
        known = [value for value in values if value is not None]
        return shown.format(sum(known)) if len(known) == len(values) else "?"

    return [
        total([estimate.steps for estimate in estimates], "{:,.0f}"),
        total([estimate.sequences for estimate in estimates], "{:,.0f}"),
        total([s and s / 3600 for s in (estimate.seconds for estimate in estimates)], "{:.2f}"),
        total([b and b / 2**30 for b in (estimate.disk_bytes for estimate in estimates)], "{:.1f} GiB"),
    ]


if __name__ == "__main__":
    main()
