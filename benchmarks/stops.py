"""Stops and kills at random moments of a small study, and calls begun at once: who works, how soon nothing is alive.

See `tests/soak.py`: after each call records, report and exit status are held against the engines' journal.
"""

import tempfile
from pathlib import Path

from benchmarks.record import record
from benchmarks.soak import figures
from tests.soak import Disturbance, Soak, soaked

STOPS: dict[Disturbance, int] = {"SIGINT": 25, "SIGTERM": 25}
KILLS: dict[Disturbance, int] = {"SIGKILL": 20}
RUNS = 5
SEED = 8
DISK_BYTES = 64_000_000
EVENTS_UNTIL_DISTURBED = 30
"""At most, of the 70 or so of the study."""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, soaked(Path(folder), RUNS, SEED, DISK_BYTES) as soak:
        disturb(soak, KILLS, at_once=2)
        disturb(soak, STOPS, at_once=1)
        record("stops", figures(soak))


def disturb(soak: Soak, disturbances: dict[Disturbance, int], *, at_once: int) -> None:
    """Call the study until each disturbance took place as often as asked; the study begins anew when it is finished."""
    for disturbance, times in disturbances.items():
        while soak.count[f"calls_{disturbance}"] < times:
            if soak.witness.finished:
                soak.begin_anew()
            soak.call(disturbance, after=soak.chance.randint(1, EVENTS_UNTIL_DISTURBED), at_once=at_once)
            print(dict(soak.count), flush=True)


if __name__ == "__main__":
    main()
