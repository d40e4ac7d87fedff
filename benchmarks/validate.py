"""How long a million preference rows of ordinary size (1.6 kB) take to check before anything runs, and how much memory.

The check has a process of its own, on one core: that of planning a study, without hashing the file.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import ROOT, record
from prefsweep.checking import check_dataset
from prefsweep.dataset import load_dataset_spec
from prefsweep.memory import peak_memory

ROWS = 1_000_000
SENTENCES = 4000
WORDS = (
    "people", "time", "years", "way", "day", "things", "world", "life", "hand", "part", "place", "case", "week",
    "company", "system", "program", "question", "work", "government", "number", "night", "point", "home", "water",
)  # fmt: skip


def main() -> None:
    if len(sys.argv) > 1:
        check(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        write_rows(rows)
        command = [sys.executable, "-m", "benchmarks.validate", str(rows)]
        paths = os.pathsep.join(sys.path)
        checked = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": paths})
        figures = json.loads(checked.stdout)
        record("validate", {"rows": ROWS, "file_bytes": rows.stat().st_size} | figures)


def write_rows(path: Path) -> None:
    """Pairs with distinct prompts, the same for everybody."""
    chance = random.Random(0)
    texts = [" ".join(chance.choices(WORDS, k=50)) for _ in range(SENTENCES)]
    with path.open("w", encoding="utf-8") as stream:
        for number in range(ROWS):
            asked, chosen, more, rejected, last = chance.choices(texts, k=5)
            messages = [
                {"role": "user", "content": f"Question {number}: {asked}?"},
                {"role": "assistant", "content": f"{chosen}. {more}! 😊"},
            ]
            row = {"messages": messages, "rejected_response": f"{rejected}. {last}."}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def check(path: Path) -> None:
    """Check the file on one core; figures go to stdout."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    spec = load_dataset_spec({"path": str(path)}, ROOT / "config" / "datasets", ROOT)
    started, cpu_started = time.monotonic(), time.process_time()
    counts = check_dataset(spec, path.parent)
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - cpu_started
    if counts is None or counts.rows + counts.heldout_rows != ROWS:
        raise SystemExit(f"expected {ROWS} rows, found {counts}")
    figures = {
        "seconds_per_million_rows": seconds * 1e6 / ROWS,
        "cpu_seconds_per_million_rows": cpu_seconds * 1e6 / ROWS,
        "peak_memory_bytes": peak_memory()[0],
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
