"""How long a large sweep takes to compare, and how much memory: 1,000 runs of 500 held-out prompts, answers of 300
characters.

Five methods at forty points with five seeds, made up; compared by the script that a study's rule calls, in a process of
its own: every record read and checked, intervals and verdicts, tables, all answers, the page.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas

from benchmarks.record import ROOT, record
from tests.example_study import Shape, build_study

SEEDS = 5
POINTS = 40
"""Of each of five methods."""
PROMPTS = 500
STEPS = 200
SENTENCES = 60
WORDS_PER_SENTENCE = 15
WORDS = (
    "people", "time", "years", "way", "day", "things", "world", "life", "hand", "part", "place", "case", "week",
    "company", "system", "program", "question", "work", "government", "number", "night", "point", "home", "water",
)  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        record("compare", figures(build_study(Path(folder), shape(POINTS))))


def shape(points: int) -> Shape:
    """So many points per method."""
    chance = random.Random(0)
    sentences = [" ".join(chance.choices(WORDS, k=WORDS_PER_SENTENCE)) + "." for _ in range(SENTENCES)]
    return Shape(seeds=tuple(range(SEEDS)), variants=points, heldout=PROMPTS, steps=STEPS, sentences=tuple(sentences))


def figures(study: Path) -> dict[str, float]:
    """Time and peak memory of the report's script. Raises SystemExit unless all runs are compared."""
    report, runs = study / "report", sum(1 for _ in study.glob("runs/*/seed-*"))
    command = [sys.executable, ROOT / "scripts" / "compare.py", "--study-directory", study, "--output", report]
    started = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    if status or set(pandas.read_csv(report / "runs.csv")["status"]) != {"finished"}:
        raise SystemExit(f"comparing {study} failed")
    return {
        "runs": runs,
        "prompts": PROMPTS,
        "seconds_for_1000_runs": seconds * 1000 / runs,
        "cpu_seconds_for_1000_runs": (usage.ru_utime + usage.ru_stime) * 1000 / runs,
        "peak_memory_bytes": usage.ru_maxrss * 1024,
        "page_bytes": (report / "index.html").stat().st_size,
        "samples_bytes": (report / "samples.jsonl").stat().st_size,
    }


if __name__ == "__main__":
    main()
