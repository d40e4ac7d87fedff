"""What an answer costs: length × the study's time of a token; money where there is a price; the reason in words."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from compare import compared
from prefsweep.answer_cost import against_base, answer_costs
from prefsweep.plan import Plan
from prefsweep.point_table import point_rows
from prefsweep.records.measure import Throughput
from prefsweep.results import StudyResults, read_study
from prefsweep.run_table import runs_table
from prefsweep.settings import Price
from prefsweep.speed_control import SpeedControl, speed_controls
from prefsweep.speed_section import speed_section
from tests.example_study import Shape, build_study

BASE, DPO, ORPO = "base-00000000", "dpo-00000000", "orpo-00000000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Base answers of 80 tokens, DPO's of 120 with a fifth cut off, ORPO's of 80; 50 answers each."""
    found = build_study(tmp_path, Shape(methods=("dpo", "orpo"), heldout=4, showcase=1, steps=4))
    for point, tokens, cut in ((BASE, 4000, 0), (DPO, 6000, 10), (ORPO, 4008, 0)):
        path = found / "runs" / point / "seed-0" / "throughput.json"
        answers = {"natural_output_tokens": tokens, "natural_cut_answers": cut}
        Throughput.read(path).model_copy(update=answers).write(path)
    return found


def slowed(folder: Path, point: str, factor: float) -> None:
    path = folder / "runs" / point / "seed-0" / "throughput.json"
    record = Throughput.read(path)
    passes = [one.model_copy(update={"wall_seconds": one.wall_seconds * factor}) for one in record.passes]
    record.model_copy(update={"passes": passes}).write(path)


def priced(folder: Path, devices: int) -> StudyResults:
    plan = Plan.read(folder / "plan.json")
    generate = plan.generate.model_copy(update={"tensor_parallel": devices})
    changed = {"generate": generate, "price": Price(per_hour=2.5, currency="EUR")}
    plan.model_copy(update=changed).write(folder / "plan.json")
    return read_study(folder)


def highest(study: StudyResults) -> SpeedControl:
    return speed_controls(study)[8]


def test_seconds_are_length_by_the_median_arms_speed(folder: Path) -> None:
    study = read_study(folder)
    control = highest(study)
    costs = answer_costs(study, control)
    assert costs[DPO].output_tokens == 120
    assert costs[DPO].seconds == 120 / control.arms[1].output_tokens_per_second
    assert costs[DPO].device_hours_per_1000 == pytest.approx(costs[DPO].seconds / 3.6)
    assert costs[DPO].money_per_1000 is None
    assert costs[DPO].measured_seconds == 40.0 / 50


def test_every_device_that_serves_is_paid_for(folder: Path) -> None:
    alone = answer_costs(read_study(folder), highest(read_study(folder)))[BASE].device_hours_per_1000
    study = priced(folder, devices=2)
    cost = answer_costs(study, highest(study))[BASE]
    assert cost.device_hours_per_1000 == pytest.approx(2 * alone)
    assert cost.money_per_1000 == pytest.approx(2 * alone * 2.5)
    assert "EUR per 1,000" in speed_section(study)["costs"][0]["heads"]


def test_the_time_of_resumed_answers_is_left_out_and_said(folder: Path) -> None:
    run = next(run for run in read_study(folder).runs if run.point.id == DPO)
    path = folder / "runs" / run.run.id / "throughput.json"
    changes = {"natural_wall_seconds": None, "resumed_at_answers": [3, 30]}
    Throughput.read(path).model_copy(update=changes).write(path)
    study = read_study(folder)
    control = highest(study)
    assert answer_costs(study, control)[DPO].measured_seconds is None
    assert answer_costs(study, control)[DPO].seconds == 120 / control.arms[1].output_tokens_per_second
    section = speed_section(study)
    assert (
        section["resumed"]
        == f" Stopped, and resumed after so many answers, whose time is left out: {run.run.id} (3, 30)."
    )
    cells = [row["cells"] for row in section["costs"][0]["rows"] if row["method"] == "dpo"]
    assert "" in cells[0]


@pytest.mark.parametrize(
    ("point", "ratio", "why"),
    [(DPO, 1.5, "answers 50 % longer, 20 % of them cut off"), (ORPO, 1.002, "answers as long")],
)
def test_length_is_the_reason(folder: Path, point: str, ratio: float, why: str) -> None:
    study = read_study(folder)
    control = highest(study)
    assert against_base(answer_costs(study, control), point, control) == (pytest.approx(ratio), why)


def test_a_slower_arm_is_error_and_costs_no_more(folder: Path) -> None:
    slowed(folder, ORPO, 1.25)
    study = read_study(folder)
    control = highest(study)
    found = against_base(answer_costs(study, control), ORPO, control)
    assert found is not None
    assert found[0] == pytest.approx(1.002)
    assert "answers as long; tokens measured 2" in found[1]
    assert found[1].endswith("% slower: error, not counted")


def test_without_the_base_there_is_no_ratio(tmp_path: Path) -> None:
    study = read_study(build_study(tmp_path, Shape(methods=("dpo",), unfinished=("base",), heldout=4)))
    control = highest(study)
    assert against_base(answer_costs(study, control), DPO, control) is None
    assert point_rows(study, compared(study))[1]["cost_reason"] is None


def test_it_is_in_both_tables(folder: Path) -> None:
    study = priced(folder, devices=1)
    comparison = compared(study)
    runs, points = runs_table(study, comparison), point_rows(study, comparison)
    assert list(runs["output_tokens_per_answer"]) == [80, 120, 80.16]
    assert list(runs["cost_per_1000_answers"]) == [row["cost_per_1000_answers"] for row in points]
    assert [row["server_seconds_ratio_to_base"] for row in points] == [1, 1.5, 1.002]


@pytest.mark.parametrize("price", [{"per_hour": 0.0}, {"per_hour": float("inf")}, {"per_hour": 1.0, "currency": "$"}])
def test_a_price_is_a_number_and_a_currency(price: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Price(**price)  # type: ignore[arg-type]
