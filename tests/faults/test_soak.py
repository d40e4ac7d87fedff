"""Eleven runs, every kind of fault, a kill, a stop and a second caller: `make bench-soak` in a minute."""

from pathlib import Path

from tests.soak import soaked
from tests.witness import WRONG

DISK_BYTES = 64_000_000


def test_nothing_is_lost_nothing_passes_for_a_success_and_every_report_is_right(tmp_path: Path) -> None:
    with soaked(tmp_path, runs=10, seed=8, disk_bytes=DISK_BYTES) as soak:
        soak.call(strikes=len(soak.strikes))
        soak.call("SIGKILL", after=6)
        soak.call("SIGINT", after=6)
        soak.call("rival", after=1)
        for _ in range(2):
            if not soak.witness.finished:
                soak.call()
        said = (soak.project.directory / "output").read_text()
    assert {name: soak.count[name] for name in WRONG} == dict.fromkeys(WRONG, 0), said
    assert all(soak.count[f"strikes_{kind}"] for kind in soak.strikes), soak.count
    assert all(soak.count[f"calls_{stop}"] == 1 for stop in ("SIGKILL", "SIGINT", "rival")), soak.count
    assert soak.witness.finished, said
