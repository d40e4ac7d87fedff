"""Speeds that must tie: when they do, when they do not, and that nothing is compared then."""

from pathlib import Path

import pytest

from compare import compared
from prefsweep.page import render_page
from prefsweep.point_table import point_rows
from prefsweep.records.measure import Throughput
from prefsweep.results import StudyResults, read_study
from prefsweep.run_table import runs_table
from prefsweep.speed_control import ArmSpeed, SpeedControl, speed_controls
from prefsweep.speed_section import speed_section
from tests.example_study import Shape, build_study

SHAPE = Shape(methods=("dpo", "orpo"), heldout=6, showcase=1, steps=4)


def control(*speeds: float, repeat_spread: float | None = 0.01) -> SpeedControl:
    arms = (ArmSpeed(f"r{speed}", f"run {speed}", speed, repeat_spread) for speed in speeds)
    return SpeedControl(8, tuple(arms))


@pytest.fixture
def tied(tmp_path: Path) -> StudyResults:
    return read_study(build_study(tmp_path, SHAPE))


@pytest.fixture
def torn(tmp_path: Path) -> StudyResults:
    """The same study, but one arm took 8 % longer for the same tokens with 8 requests at a time."""
    folder = build_study(tmp_path, SHAPE)
    path = folder / "runs" / "dpo-00000000" / "seed-0" / "throughput.json"
    record = Throughput.read(path)
    passes = [
        timed.model_copy(update={"wall_seconds": timed.wall_seconds * (1.08 if timed.concurrency == 8 else 1)})
        for timed in record.passes
    ]
    record.model_copy(update={"passes": passes}).write(path)
    return read_study(folder)


@pytest.mark.parametrize(
    ("speeds", "verdict"),
    [
        ((100.0, 102.9), "passed"),
        ((100.0, 101.0, 103.1), "measurement error"),
        ((100.0,), "no control"),
        ((), "no control"),
    ],
)
def test_the_extremes_of_all_arms_decide(speeds: tuple[float, ...], verdict: str) -> None:
    assert control(*speeds).verdict == verdict


def test_the_reason_names_both_arms_and_tells_unsteady_passes_from_different_circumstances() -> None:
    steady, unsteady = control(100.0, 110.0), control(100.0, 110.0, repeat_spread=0.2)
    assert (
        "the fastest of 2 arms is 10.0 % faster than the slowest (run 110.0: 110.0 tokens/s, run 100.0" in steady.reason
    )
    assert "Each arm was steady" in steady.reason
    assert "One arm varies as much by itself" in unsteady.reason
    assert "raise generate.repeats" in control(100.0, 110.0, repeat_spread=None).reason


def test_arms_are_medians_over_repeats_of_finished_runs(tied: StudyResults) -> None:
    found = speed_controls(tied)
    assert list(found) == [1, 8]
    run = tied.runs[1]
    speeds = sorted(timed.output_tokens_per_second for timed in run.passes(8))
    arm = found[8].by_run[run.run.id]
    assert arm.output_tokens_per_second == speeds[1]
    assert arm.repeat_spread == pytest.approx((speeds[2] - speeds[0]) / speeds[1])
    assert len(found[8].arms) == 3
    assert found[8].verdict == "passed"


def test_unfinished_runs_are_no_arms(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "orpo"), failed=("orpo",), unfinished=("dpo",), heldout=4)
    found = speed_controls(read_study(build_study(tmp_path, shape)))[8]
    assert [arm.run for arm in found.arms] == ["base-00000000/seed-0"]
    assert found.verdict == "no control"


def test_where_arms_tie_speeds_are_compared(tied: StudyResults) -> None:
    section = speed_section(tied)
    assert [failed for _, failed in section["checks"][:2]] == [False, False]
    assert all(table["heads"][1] == "against base" for table in section["tables"])
    page = render_page(tied, compared(tied))
    assert "no comparison" not in page
    assert "†" not in page.partition('<h2 id="points-title">')[2].partition("</section>")[0]


def test_measurement_error_is_said_and_no_speed_is_compared(torn: StudyResults) -> None:
    comparison = compared(torn)
    section = speed_section(torn)
    assert [failed for _, failed in section["checks"][:2]] == [False, True]
    assert ["against base" in table["heads"] for table in section["tables"]] == [True, False]
    page = render_page(torn, comparison)
    caveats = page.partition("What limits this answer")[2].partition("</section>")[0]
    assert "Speed with 8 requests at a time: measurement error" in caveats
    assert 'class="control is-failed" role="alert"' in page
    assert {row["speed_control"] for row in point_rows(torn, comparison)} == {"measurement error"}
    assert page.count(" †</td>") == 3, "each speed of the table of points is marked"
    assert page.count("† Measurement error: speeds that must tie are ") == 1


def test_every_run_has_its_deviation(torn: StudyResults) -> None:
    table = runs_table(torn, compared(torn))
    assert list(table["speed_control_at_1"]) == ["passed"] * 3
    assert list(table["speed_control"]) == list(table["speed_control_at_8"]) == ["measurement error"] * 3
    assert table["speed_deviation"][1] == pytest.approx(-0.07, abs=0.02)
    assert sorted(table["speed_deviation"])[1] == 0.0
