"""Training curves: each run over its own share of training, many runs as a band, alarms marked."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compare import compared
from prefsweep.charts import Figure
from prefsweep.curves import MOST_LINES, MOST_SINGLED_OUT, QUANTITIES, panel, smoothed
from prefsweep.palette import method_colours
from prefsweep.plan import BASE
from prefsweep.results import RunResults, StudyResults, read_study
from prefsweep.training_section import training_figures, training_section
from tests.example_study import METHODS, Shape, build_study

COLOURS = method_colours((BASE, *METHODS))
LOSS, REWARDS = QUANTITIES[0], QUANTITIES[3]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    shape = Shape(methods=("dpo", "kto"), variants=2, seeds=(0, 1), heldout=6, showcase=1, steps=200)
    return read_study(build_study(tmp_path_factory.mktemp("study"), shape))


def logged(run: RunResults, **columns: list[float | None]) -> RunResults:
    """The run with these columns in its history, which becomes as long as they are."""
    assert run.train
    first = run.train.history[0]
    history = [
        first.model_copy(update={"step": step, **dict(zip(columns, values, strict=True))})
        for step, values in enumerate(zip(*columns.values(), strict=True), start=1)
    ]
    train = run.train.model_copy(update={"history": history, "steps": len(history)})
    return replace(run, train=train)


def runs_of(study: StudyResults, method: str) -> list[RunResults]:
    return [run for run in study.runs if run.point.method == method]


def with_runs(study: StudyResults, runs: list[RunResults]) -> StudyResults:
    changed = {run.run.id: run for run in runs}
    return replace(study, runs=tuple(changed.get(run.run.id, run) for run in study.runs))


def figures(study: StudyResults) -> dict[str, dict[str, Figure]]:
    return {quantity.title: row for quantity, row in training_figures(study, compared(study), COLOURS)}


def lines(figure: Figure, name: str = "lines") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = figure.spec["datasets"][name]
    return found


def test_a_running_mean_keeps_straight_lines_and_calms_the_rest() -> None:
    straight = np.arange(100.0)
    assert smoothed(straight)[5:-5] == pytest.approx(straight[5:-5])
    assert smoothed(straight)[0] == pytest.approx(2.5)
    assert smoothed(np.tile([0.0, 1.0], 50)).std() < 0.06
    assert list(smoothed(np.array([1.0, 5.0]))) == [1.0, 5.0]


def test_every_quantity_is_drawn_for_the_methods_that_log_it(study: StudyResults) -> None:
    found = figures(study)
    assert list(found) == [quantity.title for quantity in QUANTITIES]
    assert list(found["reward accuracy"]) == ["dpo"]
    assert list(found["estimated KL divergence from the base"]) == ["kto"]
    notes = [row["note"] for row in training_section(study, compared(study), COLOURS)["quantities"]]
    assert notes == ["", "", "Not logged for kto.", "", "", "Not logged for dpo."]


def test_runs_of_other_lengths_share_an_axis(study: StudyResults) -> None:
    long, short, *_ = runs_of(study, "dpo")
    drawn = panel([long, logged(short, loss=[3.0, 2.0, 1.0, 0.5])], LOSS, None, {}, most=60)
    assert drawn
    assert [line["x"][-1] for line in drawn.lines] == [1.0, 1.0]
    assert drawn.lines[1]["x"] == [0.25, 0.5, 0.75, 1.0]
    assert len(drawn.lines[0]["x"]) == len(drawn.lines[0]["y"]) == 60
    lead = training_section(with_runs(study, [logged(short, loss=[1.0, 1.0])]), compared(study), COLOURS)["lead"]
    assert lead.startswith("2 to 200 optimiser steps and 288 sequences per run.")
    assert "resumed" not in lead
    assert long.train
    stopped = replace(long, train=long.train.model_copy(update={"resumed_at_steps": [100, 150]}))
    lead = training_section(with_runs(study, [stopped]), compared(study), COLOURS)["lead"]
    assert lead.endswith(f"Stopped, and resumed from a checkpoint: {long.run.id} (step 100, 150).")


def test_the_best_points_runs_are_strong_and_show_their_steps(study: StudyResults) -> None:
    best = next(p.point for p in compared(study).points if p.method == "dpo" and p.best_of_method)
    figure = figures(study)["loss"]["dpo"]
    own = {f"{run.point.label} · seed {run.run.seed}" for run in runs_of(study, "dpo") if run.point.id == best}
    assert {line["run"] for line in lines(figure) if line["main"]} == own
    assert {line["run"] for line in lines(figure, "steps")} == own
    assert len(lines(figure)) == 4
    assert lines(figure, "spread") == []


def test_values_that_are_no_numbers_are_left_out(study: StudyResults) -> None:
    run = logged(runs_of(study, "dpo")[0], loss=[3.0, None, float("nan"), 1.0])
    drawn = panel([run], LOSS, None, {}, most=60)
    assert drawn
    assert (drawn.lines[0]["x"], drawn.lines[0]["y"]) == ([0.25, 1.0], [3.0, 1.0])
    assert panel([logged(run, loss=[None, None])], LOSS, None, {}, most=60) is None


def test_of_many_runs_the_spread_is_drawn_and_those_that_matter(study: StudyResults) -> None:
    one = runs_of(study, "dpo")[0]
    many = [
        replace(logged(one, loss=[float(place)] * 30), run=one.run.model_copy(update={"id": f"{place}", "seed": place}))
        for place in range(MOST_LINES + 1)
    ]
    many[7] = replace(many[7], point=one.point.model_copy(update={"id": "best"}))
    alarms = {(f"{place}", "loss"): "it burns" for place in range(9, MOST_LINES)}
    drawn = panel(many, LOSS, "best", alarms, most=20)
    assert drawn
    seeds = [int(line["run"].rpartition(" ")[2]) for line in drawn.lines]
    assert seeds == [7, *range(9, 9 + MOST_SINGLED_OUT - 1)]
    (band,) = drawn.spread
    assert (band["low"], band["middle"], band["high"]) == ([2.4] * 20, [12.0] * 20, [21.6] * 20)
    assert panel(many[:MOST_LINES], LOSS, "best", {}, most=20).spread == []  # type: ignore[union-attr]


def test_an_alarm_is_marked_on_the_line_that_raised_it(study: StudyResults) -> None:
    falling = [-0.1 * step for step in range(60)]
    run = logged(runs_of(study, "dpo")[0], chosen_reward=falling, rejected_reward=[2 * value for value in falling])
    figure = figures(with_runs(study, [run]))[REWARDS.title]["dpo"]
    alarmed = [(line["run"], line["column"]) for line in lines(figure) if line["alarm"]]
    assert alarmed == [(f"{run.point.label} · seed 0", "chosen_reward")]
    assert figure.note == f"alarm: chosen answers became less likely, {run.point.label} · seed 0"
    assert figure.note in figure.description
    assert '"1 alarm"' in json.dumps(figure.spec)
    assert "alarm" not in json.dumps(figures(study)[REWARDS.title]["dpo"].spec["layer"])


def test_the_untrained_loss_is_shown_where_theory_gives_it(study: StudyResults) -> None:
    changed = [
        replace(run, train=run.train.model_copy(update={"expected_first_loss": 0.693147}))
        for run in runs_of(study, "dpo")
        if run.train
    ]
    found = figures(with_runs(study, changed))["loss"]
    assert found["dpo"].note == "dotted: untrained, 0.693"
    assert found["kto"].note == ""


def test_specifications_repeat_exactly(study: StudyResults) -> None:
    def specs() -> str:
        return json.dumps([figure.spec for row in figures(study).values() for figure in row.values()])

    assert specs() == specs()


def test_a_large_sweep_stays_small(tmp_path: Path) -> None:
    shape = Shape(methods=METHODS, variants=8, seeds=(0, 1, 2, 3), heldout=2, showcase=0, steps=40)
    study = read_study(build_study(tmp_path, shape))
    specs = [figure.spec for row in figures(study).values() for figure in row.values()]
    assert len(specs) == 25
    assert sum(len(json.dumps(spec)) for spec in specs) < 1_000_000
