"""What a sweep teaches, on sweeps whose right answer is known."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from compare import compared
from prefsweep.comparison import Comparison, compare
from prefsweep.failures import Failure
from prefsweep.grid_charts import grid_figures
from prefsweep.lesson_charts import MOST_VALUES_DRAWN, lesson_figures
from prefsweep.lesson_tables import hyperparameters_table, tries_table
from prefsweep.lessons import Effect, best_of_weights
from prefsweep.lessons_section import lessons_section
from prefsweep.palette import method_colours
from prefsweep.plan import BASE, Plan, Point, Run
from prefsweep.records.data import Half
from prefsweep.records.score import PromptScores, Scores
from prefsweep.results import read_study
from prefsweep.score_table import ScoreTable
from tests.example_study import Shape, build_study

METRIC = "preference_margin"
PROMPTS = 80
SEEDS = (0, 1, 2)
HALVES: tuple[Half, Half] = ("development", "test")
GRID = [
    {"learning_rate": rate, "beta": beta, "lora_rank": 8} for rate, beta in itertools.product((2e-5, 1e-5), (1, 2, 4))
]
Value = Callable[[dict[str, Any], Half], float]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Plan.read(build_study(tmp_path_factory.mktemp("study"), Shape(methods=("dpo",), heldout=2)) / "plan.json")


def _plan(template: Plan, settings: Sequence[dict[str, Any]] = GRID) -> Plan:
    points = [template.points[0]] + [
        Point(id=f"dpo-{number}", method="dpo", label=f"dpo {number}", settings=own, objective="")
        for number, own in enumerate(settings)
    ]
    estimate = template.runs[0].estimate
    runs = [
        Run(id=f"{point.id}/seed-{seed}", point=point.id, seed=seed, estimate=estimate)
        for point in points
        for seed in SEEDS
    ]
    update = {"points": points, "runs": runs, "seeds": list(SEEDS), "primary_metric": METRIC, "smallest_effect": 0.0}
    return template.model_copy(update=update)


def _compared(
    plan: Plan, value: Value, noise: float = 0.0, failed: Sequence[str] = (), stopped: Mapping[str, str] | None = None
) -> Comparison:
    """Prompts differ widely and alike for every run; a point adds its value, a run noise of its own.

    Runs that failed, or are a stopped point's, have no scores.
    """
    tables = {}
    hard = np.random.default_rng(1).normal(0, 10, PROMPTS)
    for run in plan.runs:
        own = np.random.default_rng(sum(run.id.encode())).normal(0, 1, PROMPTS) * noise
        settings = plan.point_of(run.id).settings
        rows = [
            PromptScores(prompt=f"p{i}", cluster=f"p{i}", part="heldout", half=half,
                         metrics={METRIC: float(hard[i] + own[i] + (value(settings, half) if settings else 0))})
            for i in range(PROMPTS)
            for half in [HALVES[i % 2]]
        ]  # fmt: skip
        if run.id not in failed and run.point not in (stopped or {}):
            tables[run.id] = ScoreTable.of(Scores(run=run.id, prompts=rows))
    failures = [Failure(run=run, stage="train", failure="oom", message="", remedy="", last_lines=[]) for run in failed]
    return compare(plan, tables, failures, {}, stopped)


def _effects(comparison: Comparison) -> dict[tuple[str, Any], Effect]:
    return {(effect.setting, effect.value): effect for effect in comparison.lessons.effects}


def _additive(settings: dict[str, Any], half: Half) -> float:
    return {1: 0.0, 2: 3.0, 4: -1.0}[settings["beta"]] + (5.0 if settings["learning_rate"] == 2e-5 else 0.0)


def test_additive_effects_are_found_exactly_whatever_the_prompts(template: Plan) -> None:
    effects = _effects(_compared(_plan(template), _additive))
    assert list(effects) == [("learning_rate", 2e-5), ("beta", 2), ("beta", 4)]
    assert [effect.reference for effect in effects.values()] == [1e-5, 1, 1]
    assert [effect.difference.estimate for effect in effects.values()] == pytest.approx([5, 3, -1])
    assert [effect.difference.standard_error for effect in effects.values()] == pytest.approx([0, 0, 0], abs=1e-6)
    assert [(effect.pairs, effect.pairs_above) for effect in effects.values()] == [(3, 3), (2, 2), (2, 0)]
    assert {(effect.difference.seeds, effect.difference.clusters) for effect in effects.values()} == {(3, PROMPTS // 2)}


def test_an_effect_that_depends_on_another_setting_is_averaged_and_its_pairs_are_counted(template: Plan) -> None:
    def value(settings: dict[str, Any], half: Half) -> float:
        return float(settings["beta"] == 2) * (4 if settings["learning_rate"] == 1e-5 else -2)

    effect = _effects(_compared(_plan(template), value))["beta", 2]
    assert effect.difference.estimate == pytest.approx(1)
    assert (effect.pairs, effect.pairs_above) == (2, 1)


def test_the_interval_widens_with_noise_and_covers_the_truth(template: Plan) -> None:
    effect = _effects(_compared(_plan(template), _additive, noise=3.0))["beta", 2]
    assert 0.1 < effect.difference.standard_error < 2
    assert effect.difference.low < 3 < effect.difference.high


def test_points_that_differ_in_two_settings_are_no_pair(template: Plan) -> None:
    drawn = [{"learning_rate": 1e-5, "beta": 1}, {"learning_rate": 2e-5, "beta": 2}, {"learning_rate": 3e-5, "beta": 4}]
    comparison = _compared(_plan(template, drawn), lambda settings, half: settings["beta"])
    assert comparison.lessons.effects == []
    assert len(comparison.lessons.best_of) == 3
    assert "No two points of dpo differ in one setting only" in lessons_section(comparison)["lead"]


def test_weights_are_those_of_every_draw_counted() -> None:
    for points, lost, tries in ((5, 0, 3), (4, 2, 1), (4, 2, 3), (2, 3, 4), (3, 0, 3)):
        best = [max(draw) - lost for draw in itertools.combinations(range(points + lost), tries) if max(draw) >= lost]
        expected = [best.count(rank) / len(best) for rank in range(points)]
        assert best_of_weights(points, lost, tries) == pytest.approx(expected)


def test_the_best_of_all_is_picked_on_one_half_and_measured_on_the_other(template: Plan) -> None:
    flattered, sound = GRID[1], GRID[4]

    def value(settings: dict[str, Any], half: Half) -> float:
        gains = {"development": 9.0, "test": -2.0} if settings == flattered else {"development": 5.0, "test": 4.0}
        return gains[half] if settings in (flattered, sound) else 0.0

    comparison = _compared(_plan(template), value)
    base = comparison.points[0].metrics[METRIC].mean.estimate
    expected = [best.expected.estimate - base for best in comparison.lessons.best_of]
    assert [best.tries for best in comparison.lessons.best_of] == [1, 2, 3, 4, 5, 6]
    assert expected[0] == pytest.approx((-2 + 4) / 6)
    assert expected[1] == pytest.approx((-2 * 5 + 4 * 4) / 15)
    assert expected[5] == pytest.approx(-2)


def test_a_lower_metric_is_picked_by_its_lowest(template: Plan) -> None:
    lower = "chosen_nats_per_character"
    plan = _plan(template).model_copy(update={"primary_metric": lower})
    tables = {}
    for run in plan.runs:
        rows = [
            PromptScores(prompt=f"p{i}", cluster=f"p{i}", part="heldout", half=HALVES[i % 2],
                         metrics={lower: float(plan.point_of(run.id).settings.get("beta", 9)) + i % 4})
            for i in range(8)
        ]  # fmt: skip
        tables[run.id] = ScoreTable.of(Scores(run=run.id, prompts=rows))
    best_of = compare(plan, tables, [], {}).lessons.best_of
    assert best_of[-1].expected.estimate == pytest.approx(1 + fmean((1, 3)))


def test_a_point_with_a_failed_run_is_a_try_that_is_never_the_best(template: Plan) -> None:
    comparison = _compared(_plan(template), _additive, failed=["dpo-1/seed-2"])
    best_of = comparison.lessons.best_of
    assert {(best.points, best.lost) for best in best_of} == {(5, 1)}
    assert [best.tries for best in best_of] == [1, 2, 3, 4, 5, 6]
    base = comparison.points[0].metrics[METRIC].mean.estimate
    assert best_of[-1].expected.estimate - base == pytest.approx(5)  # dpo-1 would have given 8
    assert _effects(comparison)["beta", 2].pairs == 1
    section = lessons_section(comparison)
    assert "never the best: 1 of dpo" in section["lead"]
    assert section["tables"][0]["rows"][0]["cells"][0] == "5 of 6"


def test_points_that_screening_left_over_teach_nothing(template: Plan) -> None:
    plan = _plan(template)
    assert _compared(plan, _additive).lessons.effects
    comparison = _compared(plan, _additive, stopped={"dpo-0": "it was behind"})
    assert comparison.lessons.effects == comparison.lessons.best_of == []
    assert lessons_section(comparison)["tables"] == []


def test_where_nothing_is_swept_there_is_no_section_and_the_tables_have_their_heads(template: Plan) -> None:
    comparison = _compared(_plan(template, GRID[:1]), _additive)
    assert lessons_section(comparison)["tables"] == []
    assert lesson_figures(comparison, method_colours((BASE, "dpo"))) == []
    assert len(hyperparameters_table(comparison)) == len(tries_table(comparison)) == 0
    assert "difference_low" in hyperparameters_table(comparison).columns


def test_tables_and_figures_say_the_same(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "kto"), variants=3, seeds=(0, 1), heldout=12, steps=4)
    comparison = compared(read_study(build_study(tmp_path, shape)))
    table, tries = hyperparameters_table(comparison), tries_table(comparison)
    assert [*table["method"]] == ["dpo", "dpo", "kto", "kto"]
    assert [*tries["tries"]] == [1, 2, 3] * 2
    best, effect = lesson_figures(comparison, method_colours((BASE, "dpo", "kto")))
    assert [row["mean"] for row in effect.spec["layer"][1]["data"]["values"]] == [*table["difference"]]
    assert "dpo 0.0002 to 0.0006" in effect.description
    assert best.spec["layer"][1]["data"]["values"][0]["mean"] == tries["expected"][0]


def test_of_many_points_values_are_thinned_and_tries_are_powers_of_two(template: Plan) -> None:
    many = [{"learning_rate": 1e-6 * (number + 1), "beta": 1} for number in range(30)]
    comparison = _compared(_plan(template, many), lambda settings, half: settings["learning_rate"])
    assert [best.tries for best in comparison.lessons.best_of] == [1, 2, 4, 8, 16, 30]
    best, effect = lesson_figures(comparison, method_colours((BASE, "dpo")))
    assert best.spec["layer"][1]["encoding"]["x"]["axis"]["values"] == [1, 4, 8, 16, 30], "2 has no room"
    drawn = effect.spec["layer"][1]["data"]["values"]
    assert f"{len(drawn)} of 29 values" in effect.note
    assert MOST_VALUES_DRAWN // 2 < len(drawn) <= MOST_VALUES_DRAWN


def test_an_effects_seeds_average_to_it(template: Plan) -> None:
    effect = _effects(_compared(_plan(template), _additive, noise=3.0))["beta", 2]
    assert list(effect.seed_differences) == list(SEEDS)
    assert fmean(effect.seed_differences.values()) == pytest.approx(effect.difference.estimate)
    assert len(set(effect.seed_differences.values())) == len(SEEDS)


def test_two_swept_settings_make_a_grid_of_what_was_tried(template: Plan) -> None:
    comparison = _compared(_plan(template), _additive)
    (grid,) = comparison.lessons.grids
    assert (grid.across, grid.down, len(grid.cells)) == ("learning_rate", "beta", 6)
    means = {(cell.across, cell.down): cell.mean for cell in grid.cells}
    assert means[2e-5, 4] - means[1e-5, 1] == pytest.approx(5 - 1)
    assert means[1e-5, 2] - means[1e-5, 1] == pytest.approx(3)
    (figure,) = grid_figures(comparison, method_colours([BASE, "dpo"]))
    assert figure.description.count(";") == 5
    strength = figure.spec["layer"][0]["encoding"]["opacity"]["scale"]
    assert strength["domain"] == [min(means.values()), max(means.values())]


def test_a_third_setting_is_averaged_over(template: Plan) -> None:
    wide = [settings | {"lora_rank": rank} for settings in GRID for rank in (8, 16)]
    grids = _compared(_plan(template, wide), _additive).lessons.grids
    assert [(grid.across, grid.down) for grid in grids] == [
        ("learning_rate", "beta"), ("learning_rate", "lora_rank"), ("beta", "lora_rank"),
    ]  # fmt: skip
    assert {cell.points for cell in grids[0].cells} == {2}


def test_values_that_seldom_meet_make_no_grid(template: Plan) -> None:
    drawn = [{"learning_rate": 1e-5 * n, "beta": n, "lora_rank": 8} for n in range(1, 6)]
    assert _compared(_plan(template, drawn), lambda settings, half: 0.0).lessons.grids == []
