"""Print a study's plan.json as a table to read before spending money, and write the whole of it as plan.csv."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from prefsweep.files import write_text
from prefsweep.plan import Plan
from prefsweep.plan_table import as_csv, show

_PIPED_WIDTH = 120
"""Columns where no terminal says how many there are."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path, help="results/<study>/plan.json")
    path = parser.parse_args().plan
    plan = Plan.read(path)
    write_text(path.with_suffix(".csv"), as_csv(plan))
    show(plan, Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH))


if __name__ == "__main__":
    main()
