"""Stops and kills at random moments of a small study, and calls begun at once: who works, how soon nothing is alive.

See `tests/soak.py`: after each call records, report and exit status are held against the engines' journal.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.record import record
from benchmarks.soak import figures
from tests.soak import Disturbance, soaked

DISTURBANCES: tuple[tuple[Disturbance, int], ...] = (
    *(("SIGKILL", 2), ("SIGINT", 1), ("SIGTERM", 1)),
    *(("SIGKILL", 2), ("SIGTERM", 1), ("SIGINT", 1), ("SIGINT", 1)),
    *(("SIGKILL", 2), ("SIGINT", 1), ("SIGTERM", 1)),
    *(("SIGKILL", 2), ("SIGTERM", 1), ("SIGINT", 1), ("SIGTERM", 1)),
)
"""Each with how many calls begin at once: in turn, so that a part of them is a fair part."""
TIMES = 5
RUNS = 5
SEED = 8
DISK_BYTES = 64_000_000
EVENTS_UNTIL_DISTURBED = 30
"""At most, of the 70 or so of the study."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end sooner, with what there is")
    end = time.monotonic() + 60 * parser.parse_args().minutes
    wanted = list(DISTURBANCES * TIMES)
    with tempfile.TemporaryDirectory() as folder, soaked(Path(folder), RUNS, SEED, DISK_BYTES) as soak:
        while wanted and time.monotonic() < end:
            if soak.witness.finished:  # it begins anew
                soak.begin_anew()
            disturbance, at_once = wanted[0]
            before = soak.count[f"calls_{disturbance}"]
            soak.call(disturbance, after=soak.chance.randint(1, EVENTS_UNTIL_DISTURBED), at_once=at_once)
            if soak.count[f"calls_{disturbance}"] > before:  # it did not end sooner
                del wanted[0]
            print(dict(soak.count), flush=True)
        record("stops", figures(soak))


if __name__ == "__main__":
    main()
