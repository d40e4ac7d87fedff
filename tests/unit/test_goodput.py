"""Goodput: a request is good when it keeps every limit that was asked for."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from compare import compared
from prefsweep.goodput import described, goodput
from prefsweep.plan import Plan
from prefsweep.point_table import point_rows
from prefsweep.records.measure import Percentiles, TimedPass
from prefsweep.results import read_study
from prefsweep.run_table import runs_table
from prefsweep.settings import ServiceLevel
from prefsweep.speed_section import speed_section
from tests.example_study import Shape, build_study

NOTHING = Percentiles(mean_seconds=0, p50_seconds=0, p95_seconds=0, p99_seconds=0)


def timed(ttft: list[float], e2e: list[float], wall_seconds: float = 4.0) -> TimedPass:
    """A pass of answers of 11 tokens."""
    return TimedPass(
        concurrency=2, repeat=0, requests=len(e2e), output_tokens=11 * len(e2e), wall_seconds=wall_seconds,
        client_seconds=0.1, other_cpu_share=None,
        ttft=NOTHING, tpot=NOTHING, itl=NOTHING, e2e=NOTHING, request_ttft_seconds=ttft, request_e2e_seconds=e2e,
    )  # fmt: skip


PASS = timed([0.1, 0.6, 0.1, 0.5], [1.1, 1.1, 2.1, 1.0])
"""TPOT 0.1, 0.05, 0.2 and 0.05 s."""


@pytest.mark.parametrize(
    ("asked", "good"),
    [
        ({"ttft_seconds": 0.5}, 3),
        ({"tpot_seconds": 0.1}, 3),
        ({"e2e_seconds": 1.05}, 1),
        ({"ttft_seconds": 0.5, "tpot_seconds": 0.1}, 2),
        ({"ttft_seconds": 0.05}, 0),
    ],
)
def test_all_limits_must_be_kept_and_a_limit_may_be_reached(asked: dict[str, float], good: int) -> None:
    found = goodput([PASS], ServiceLevel(**asked))
    assert found.share == good / 4
    assert found.requests_per_second == good / 4.0


def test_repeats_count_together() -> None:
    found = goodput([PASS, timed([0.1, 0.1], [9.0, 1.0], wall_seconds=6.0)], ServiceLevel(e2e_seconds=1.05))
    assert (found.share, found.requests_per_second) == (2 / 6, 2 / 10)


@pytest.mark.parametrize("asked", [{}, {"ttft_seconds": 0}, {"tpot_seconds": float("nan")}, {"itl_seconds": 1.0}])
def test_a_level_that_asks_nothing_or_nonsense_is_refused(asked: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ServiceLevel(**asked)


def test_it_is_shown_where_a_level_is_stated_and_empty_elsewhere(tmp_path: Path) -> None:
    folder = build_study(tmp_path, Shape(methods=("dpo",), heldout=4, steps=4))
    study = read_study(folder)
    assert point_rows(study, compared(study))[0]["goodput_share"] is None
    assert "goodput" not in speed_section(study)["tables"][0]["heads"]
    asked = ServiceLevel(ttft_seconds=0.1, e2e_seconds=2.7)
    Plan.read(folder / "plan.json").model_copy(update={"service_level": asked}).write(folder / "plan.json")
    study = read_study(folder)
    table = runs_table(study, compared(study))
    assert list(table["goodput_share_at_1"]) == [1 / 8] * 2
    assert list(table["goodput_share"]) == [0] * 2
    section = speed_section(study)
    assert described(asked) == "TTFT ≤ 0.1 s, E2E ≤ 2.7 s"
    assert described(asked) in section["note"]
    column = section["tables"][0]["heads"].index("goodput") - 1
    assert section["tables"][0]["rows"][0]["cells"][column].startswith("12 %, ")
