"""Hundreds of runs with stub engines under random faults: what is lost, what is told wrongly, how long one waits.

See `tests/soak.py`. The study is called until nothing is left to do or the time is over.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.record import record
from tests.soak import Disturbance, Soak, soaked
from tests.witness import WRONG

MINUTES = 30.0
RUNS = 200
SEED = 8
DISK_BYTES = 1_000_000_000
SHARE_STRUCK = 0.05
"""Of the stages that a call has left to do."""
DISTURBANCES: dict[Disturbance, int] = {"SIGINT": 5, "SIGTERM": 5, "SIGKILL": 5, "rival": 1}
"""With weights. A call that ends sooner is not disturbed."""
EVENTS_UNTIL_DISTURBED = 160
"""At most. A stage that ends well is four events."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--runs", type=int, default=RUNS, help="beside the base's")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    begun = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        soaked(Path(folder), options.runs, options.seed, DISK_BYTES) as soak,
    ):
        while not soak.witness.finished and time.monotonic() - begun < 60 * options.minutes:
            (disturbance,) = soak.chance.choices(list(DISTURBANCES), list(DISTURBANCES.values()))
            after = soak.chance.randint(0, EVENTS_UNTIL_DISTURBED)
            soak.call(disturbance, strikes=round(SHARE_STRUCK * len(soak.witness.left())), after=after)
            print(f"{time.monotonic() - begun:.0f} s: {disturbance} after {after}; {dict(soak.count)}", flush=True)
        record("soak", figures(soak) | {"seed": options.seed, "minutes": (time.monotonic() - begun) / 60})


def figures(soak: Soak) -> dict[str, float]:
    """What was done to the study, what went wrong, how long a user waits: the median and the longest of how many."""
    told: dict[str, float] = {"runs": len(soak.witness.runs()), "runs_finished": soak.witness.runs_finished}
    told |= {name: soak.count[name] for name in ("calls", *sorted(soak.count)) if name not in WRONG}
    told |= {name: soak.count[name] for name in WRONG}
    for name, seconds in sorted(soak.seconds.items()):
        told |= {f"seconds_{name}_{kind}": of(seconds) for kind, of in (("p50", median), ("max", max), ("n", len))}
    return told


if __name__ == "__main__":
    main()
