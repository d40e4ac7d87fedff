"""`snakemake --lint` finds nothing but what is meant."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEANT = (
    "Specify a conda environment or container",  # environments come from hash locks, and their locks are inputs
    "Shell command directly uses variable",  # interpreters and places: what they hold is input, where they are is not
)
TALKS_TO_THE_TERMINAL = {"plan", "prefetch", "partial", "verify", "tidy", "track"}


def test_only_known_lints_are_left() -> None:
    command = [sys.executable, "-m", "snakemake", "--lint"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr
    rules = re.split(r"^Lints for ", found, flags=re.MULTILINE)[1:]
    assert len(rules) > 10, found
    for lints in rules:
        titles = [title for title in re.findall(r"^    \* (.+):$", lints, re.MULTILINE) if not title.startswith(MEANT)]
        rule = re.match(r"rule (\w+)", lints)
        if rule and rule[1] in TALKS_TO_THE_TERMINAL:
            titles = [title for title in titles if title != "No log directive defined"]
        assert not titles, lints
