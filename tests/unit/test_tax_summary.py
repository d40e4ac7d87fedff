"""The alignment tax in one figure: each task once, the better direction counted as a gain, other units only judged."""

import pytest

from prefsweep.metrics import Direction, Metric
from prefsweep.pairing import MetricComparison
from prefsweep.records.measure import TaskConditions
from prefsweep.statistics import Interval
from prefsweep.tax import TaskTax
from prefsweep.tax_summary import mean_change, tax_summary

POINT = "dpo-00000000"


def _tax(
    task: str, change: float, *, unit: str = "share", direction: Direction = "higher", p: float = 1.0, name: str = "acc"
) -> TaskTax:
    interval = Interval(
        estimate=change, low=change, high=change, p_value=p, standard_error=0.1, seed_standard_error=0.0,
        seed_share=0.0, seeds=2, clusters=9,
    )  # fmt: skip
    found = MetricComparison(
        metric=name, prompts=9, excluded_prompts=0, mean=interval, difference=interval, seed_means={},
        seed_differences={0: change - 0.1, 1: change + 0.1}, minimum_detectable_effect=None,
        two_way_standard_error=None, mcnemar_p_value=None,
    )  # fmt: skip
    metric = Metric(name=name, unit=unit, direction=direction, description="", source="", rate=False)
    plain = TaskConditions(limit=None, num_fewshot=0, apply_chat_template=False)
    return TaskTax(task=task, conditions=plain, metric=metric, points={POINT: found}, p_adjusted={POINT: p})


def test_a_task_with_two_metrics_counts_once_and_less_of_a_bad_thing_is_a_gain() -> None:
    taxes = [_tax("a", -0.4), _tax("a", -0.2, name="acc_norm"), _tax("b", -0.1, direction="lower")]
    assert mean_change(taxes, POINT) == pytest.approx((-0.3 + 0.1) / 2)
    assert mean_change(taxes, POINT, seed=1) == pytest.approx((-0.2 + 0.0) / 2)
    assert mean_change(taxes, POINT, seed=7) is None


def test_bits_and_values_without_a_direction_are_judged_but_not_averaged() -> None:
    taxes = [
        _tax("a", 0.2, unit="bits per byte", direction="lower", p=0.01),
        _tax("b", 0.3, direction="neutral", p=0.01),
    ]
    found = tax_summary(taxes, POINT)
    assert found is not None
    assert (found.mean_change, found.tests) == (None, 2)
    assert found.losses == ("a acc +0.200 bits per byte",)
    assert found.changes == ("b acc +30.0 pp",)
    assert found.text == "worse in 1 of 2"


def test_what_is_not_detected_is_no_loss() -> None:
    found = tax_summary([_tax("a", -0.4, p=0.06), _tax("b", 0.4, p=0.04)], POINT)
    assert found is not None
    assert (found.losses, found.text) == ((), "changed in 1 of 2")
    quiet = tax_summary([_tax("a", -0.4, p=0.06)], POINT)
    assert quiet is not None
    assert quiet.text == "none detected"


def test_a_point_without_a_difference_has_no_tax() -> None:
    assert tax_summary([_tax("a", -0.4)], "base-00000000") is None
    assert tax_summary([], POINT) is None
