"""What a plan says it would detect, against arithmetic and the statistics that will be applied."""

import math
from pathlib import Path

import numpy as np
import pytest

from prefsweep.checking import DatasetCounts
from prefsweep.detectable import detectable_effect, detectable_text, planned_detectable
from prefsweep.files import write_text
from prefsweep.plan import Detectable, Plan
from prefsweep.statistics import ALPHA, crossed_bootstrap, minimum_detectable_effect
from prefsweep.study import StudyConfig
from tests.example_study import Shape, build_study


def _planned(
    results: Path, *, seeds: int = 1, points: int = 1, prompts: int = 1000, metric: str = "preference_accuracy"
) -> Detectable:
    config = StudyConfig.model_construct(study="s", seeds=list(range(seeds)), primary_metric=metric)
    counts = DatasetCounts.model_construct(heldout_clusters=prompts, heldout_rows=3 * prompts)
    return planned_detectable(config, points, counts, results)


def test_five_hundred_prompts_of_which_a_fifth_differ_detect_5_6_points(tmp_path: Path) -> None:
    found = _planned(tmp_path)
    assert (found.prompts, found.basis, found.effect_of_seeds_apart) == (500, "assumption", None)
    assert found.effect == pytest.approx(0.056, abs=5e-4)
    assert _planned(tmp_path, points=20).effect == pytest.approx((3.023341 + 0.841621) * 0.02, abs=1e-6)


def test_a_judge_that_prefers_one_answer_on_three_fifths_detects_4_9_points_of_win_rate(tmp_path: Path) -> None:
    """9.7 points of net wins; a win rate moves by half as much."""
    found = _planned(tmp_path, metric="win_rate")
    assert found.effect == pytest.approx(0.097 / 2, abs=5e-4)
    assert "the judge prefers one answer on 60 % of the prompts" in _text(tmp_path, found, metric="win_rate")


def test_seeds_that_differ_detect_less(tmp_path: Path) -> None:
    found = _planned(tmp_path, seeds=4)
    assert found.effect == _planned(tmp_path).effect
    assert found.effect_of_seeds_apart == pytest.approx((1.959964 + 0.841621) * math.sqrt(0.0004 + 0.0001), abs=1e-6)


def test_it_is_what_the_report_then_says(tmp_path: Path) -> None:
    """Of answers that differ as assumed: the plan's normal quantiles and the report's own statistics."""
    values = np.zeros((1, 500))
    values[0, :50], values[0, 50:100] = 1, -1
    reported = minimum_detectable_effect(crossed_bootstrap(values, np.arange(500)), ALPHA / 5)
    assert _planned(tmp_path, points=5).effect == pytest.approx(reported, rel=0.03)


def test_of_a_metric_without_bounds_nothing_is_known_before_runs_have_finished(tmp_path: Path) -> None:
    assert _planned(tmp_path, metric="preference_margin") == Detectable(prompts=500)
    table = "point,metric,difference_standard_error\nbase,preference_margin,\n"
    table += "a,preference_margin,0.2\nb,preference_margin,0.4\nc,preference_margin,0.3\n"
    write_text(tmp_path / "s" / "report" / "comparison.csv", table)
    found = _planned(tmp_path, metric="preference_margin", points=3)
    assert (found.basis, found.effect) == ("finished runs", detectable_effect(0.3, 3))
    assert _planned(tmp_path).basis == "assumption", "the report is about another metric"


def _text(
    tmp_path: Path, detectable: Detectable, smallest_effect: float = 0.0, metric: str = "preference_accuracy"
) -> str:
    plan = Plan.read(build_study(tmp_path, Shape(seeds=(0, 1))) / "plan.json")
    update = {"detectable": detectable, "smallest_effect": smallest_effect, "primary_metric": metric}
    return detectable_text(plan.model_copy(update=update))


def test_the_line_states_what_it_assumes(tmp_path: Path) -> None:
    found = Detectable(prompts=500, effect=0.06, effect_of_seeds_apart=0.07, basis="assumption")
    assert _text(tmp_path, found, smallest_effect=0.05) == (
        "smallest detectable difference about 6.0 pp with 80 % power (5 points, 2 seeds, 500 test prompts), where "
        "answers differ from the base's on 20 % of the prompts and seeds agree; 7.0 pp where they differ by 2.0 pp "
        "(standard deviation); more than the smallest worthwhile effect, 5.0 pp"
    )


def test_the_line_says_when_nothing_is_known(tmp_path: Path) -> None:
    assert _text(tmp_path, Detectable(), metric="preference_margin").startswith(
        "smallest detectable difference unknown"
    )
    learnt = _text(tmp_path, Detectable(prompts=9, effect=0.5, basis="finished runs"), metric="preference_margin")
    assert "about 0.500 nats" in learnt
    assert learnt.endswith("by the study's last report")


def test_what_is_learnt_later_does_not_change_which_plan_it_is(tmp_path: Path) -> None:
    plan = Plan.read(build_study(tmp_path, Shape()) / "plan.json")
    assert plan.model_copy(update={"detectable": Detectable(prompts=9, effect=0.5)}).digest() == plan.digest()
