"""Each alarm, raised and not raised, from records like a study's own."""

import random
from pathlib import Path

import pytest

from compare import compared
from prefsweep.alarms import Alarm, alarms, training_alarms
from prefsweep.page import render_page
from prefsweep.pairing import MetricComparison
from prefsweep.point_table import comparison_table
from prefsweep.records.train import TrainStep
from prefsweep.results import RunResults, StudyResults, read_study
from prefsweep.run_table import runs_table
from prefsweep.statistics import Interval, crossed_bootstrap
from tests.example_study import Shape, build_study

SHAPE = Shape(methods=("dpo", "kto"), heldout=12, showcase=1, steps=36)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return read_study(build_study(tmp_path_factory.mktemp("study"), SHAPE))


def run_with(study: StudyResults, method: str, **columns: list[float]) -> RunResults:
    """The method's run with these columns in its history, which becomes as long as they are."""
    run = next(run for run in study.runs if run.point.method == method)
    assert run.train
    steps: list[TrainStep] = []
    for number, values in enumerate(zip(*columns.values(), strict=True), start=1):
        step = run.train.history[0].model_copy(update={"step": number, **dict(zip(columns, values, strict=True))})
        steps.append(step)
    train = run.train.model_copy(update={"history": steps})
    return RunResults(run=run.run, point=run.point, train=train)


def names(found: list[Alarm]) -> list[str]:
    return [alarm.name for alarm in found]


def test_a_sound_study_raises_none(study: StudyResults) -> None:
    assert alarms(study, compared(study)) == []


@pytest.mark.parametrize(
    ("zeros", "steps", "raised"),
    [(36, 36, True), (33, 36, True), (31, 36, False), (0, 36, False), (8, 8, False)],
)
def test_a_kl_that_hardly_ever_leaves_zero(study: StudyResults, zeros: int, steps: int, raised: bool) -> None:
    run = run_with(study, "kto", kl=[0.0] * zeros + [0.7] * (steps - zeros))
    assert names(training_alarms(run)) == ["KL stuck at zero"] * raised


def test_the_first_steps_kl_does_not_count(study: StudyResults) -> None:
    run = run_with(study, "kto", kl=[0.0] + [0.4] * 10)
    assert run.train
    assert run.train.kl_zero_share == 0


def test_chosen_answers_that_become_less_likely(study: StudyResults) -> None:
    noise = random.Random(0)
    falling = [-0.03 * step + noise.gauss(0, 0.2) for step in range(36)]
    (alarm,) = training_alarms(run_with(study, "dpo", chosen_reward=falling))
    assert alarm.name == "chosen answers became less likely"
    assert alarm.run == "dpo-00000000/seed-0"
    assert "fell from −0.22 to −0.892" in alarm.sentence
    assert training_alarms(run_with(study, "dpo", chosen_reward=[-value for value in falling])) == []
    assert training_alarms(run_with(study, "dpo", chosen_reward=falling[:8])) == []


def test_batches_that_differ_are_no_fall(study: StudyResults) -> None:
    chance = random.Random(1)
    for _ in range(50):
        assert training_alarms(run_with(study, "dpo", chosen_reward=[chance.gauss(-1, 1) for _ in range(36)])) == []


@pytest.mark.parametrize(("parity", "raised"), [(0.3, True), (0.1, False)])
def test_a_merge_that_is_half_rounding(study: StudyResults, parity: float, raised: bool) -> None:
    run = next(run for run in study.runs if run.point.method == "dpo")
    assert run.merge
    sizes = {"parity_max_abs_logit_difference": parity, "change_max_abs_logit_difference": 0.4}
    rounded = RunResults(run=run.run, point=run.point, merge=run.merge.model_copy(update=sizes))
    assert names(training_alarms(rounded)) == ["the merge rounded the adapter away"] * raised


def interval(estimate: float, low: float) -> Interval:
    return crossed_bootstrap([[0.0, 1.0, 2.0]], [0, 1, 2]).model_copy(
        update={"estimate": estimate, "low": low, "high": 2 * estimate - low}
    )


@pytest.mark.parametrize(
    ("metric", "mean", "difference", "low", "raised"),
    [
        ("words", 60.0, 40.0, 20.0, "answers became much longer"),
        ("words", 60.0, 40.0, -1.0, None),
        ("words", 25.0, 5.0, 4.0, None),
        ("truncated", 0.4, 0.3, 0.1, "answers became much longer"),
        ("truncated", 0.4, 0.2, 0.1, None),
        ("repetition", 0.3, 0.25, 0.1, "repetition rose"),
        ("repetition", 0.3, 0.25, -0.1, None),
        ("repetition", 0.3, 0.05, 0.01, None),
    ],
)
def test_answers_that_grow_or_loop(
    study: StudyResults, metric: str, mean: float, difference: float, low: float, raised: str | None
) -> None:
    comparison = compared(study)
    points = list(comparison.points)
    found: MetricComparison = points[1].metrics[metric]
    changed = found.model_copy(
        update={
            "mean": found.mean.model_copy(update={"estimate": mean}),
            "difference": interval(difference, low),
        }
    )
    points[1] = points[1].model_copy(update={"metrics": points[1].metrics | {metric: changed}})
    alarmed = alarms(study, comparison.model_copy(update={"points": points}))
    assert names(alarmed) == ([raised] if raised else [])
    assert all(alarm.run is None and alarm.point == points[1].point for alarm in alarmed)


def test_page_and_tables_show_them(tmp_path: Path) -> None:
    study = read_study(build_study(tmp_path, Shape(methods=("cpo",), showcase=1)))
    comparison = compared(study)
    found = alarms(study, comparison)
    assert names(found) == ["answers became much longer", "repetition rose"]
    cell = comparison_table(study, comparison)["alarms"].iloc[1]
    page = render_page(study, comparison)
    for alarm in found:
        assert alarm.sentence in cell
        assert alarm.sentence in page
    assert f"The recommended point raised an alarm: {found[0].name}" in page
    assert list(runs_table(study, comparison)["training_alarms"]) == ["", ""]
