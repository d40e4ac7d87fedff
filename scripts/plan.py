"""Print plans as tables to read before spending money, and write the whole of each as plan.csv beside it."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from prefsweep.files import write_text
from prefsweep.plan import Plan
from prefsweep.plan_table import as_csv, show, show_together

_PIPED_WIDTH = 120
"""Columns where no terminal says how many there are."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plans", type=Path, nargs="+", help="results/<study>/plan.json")
    console = Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
    plans = []
    for path in parser.parse_args().plans:
        plans.append(Plan.read(path))
        write_text(path.with_suffix(".csv"), as_csv(plans[-1]))
        show(plans[-1], console)
    if len(plans) > 1:
        show_together(plans, console)


if __name__ == "__main__":
    main()
