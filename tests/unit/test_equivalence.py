"""Golden values of the equivalence test, and how often it is wrong where the true difference is the margin."""

import math

import numpy as np
import pytest
from scipy import stats

from prefsweep.equivalence import equivalence_p_value
from prefsweep.statistics import Interval, crossed_bootstrap, least_p_value


def _difference(estimate: float, error: float, clusters: int = 100) -> Interval:
    return Interval(
        estimate=estimate,
        low=estimate - 2 * error,
        high=estimate + 2 * error,
        p_value=1.0,
        standard_error=error,
        seed_standard_error=0.0,
        seed_share=0.0,
        seeds=1,
        clusters=clusters,
    )


@pytest.mark.parametrize("estimate", [-0.3, 0.0, 0.1, 0.7])
def test_it_is_the_larger_of_two_one_sided_t_tests(estimate: float) -> None:
    values = np.random.default_rng(0).normal(0, 1, 100)
    values += estimate - values.mean()
    below = stats.ttest_1samp(values, 0.5, alternative="less").pvalue
    above = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
    found = equivalence_p_value(_difference(estimate, float(stats.sem(values))), 0.5, rate=False)
    assert found == pytest.approx(max(below, above))


def test_without_a_margin_or_variation_there_is_no_test() -> None:
    assert equivalence_p_value(_difference(0.0, 0.1), 0.0, rate=False) is None
    assert equivalence_p_value(_difference(0.0, 0.0), 0.1, rate=False) is None


def test_few_prompts_that_all_agree_do_not_show_that_a_rate_is_the_same() -> None:
    """Thirty in a row without a difference are likely (55 %) where 2 % of all prompts differ; five hundred are not."""
    few, many = (equivalence_p_value(_difference(0.0, 0.0, clusters), 0.02, rate=True) for clusters in (30, 500))
    assert few is not None
    assert many is not None
    assert few > 0.2
    assert 0.98**500 < many < 0.002


def test_few_clusters_cannot_be_more_certain_than_their_signs() -> None:
    assert equivalence_p_value(_difference(0.0, 1e-9, clusters=4), 1.0, rate=False) == least_p_value(4)


@pytest.mark.parametrize(("prompts", "margin"), [(100, 0.05), (300, 0.02), (500, 0.02)])
def test_rare_differences_of_the_margins_size_are_seldom_called_equivalent(prompts: int, margin: float) -> None:
    """The hardest rate: every prompt that differs is lost. A t test alone is wrong in 7 to 15 % of such studies."""
    called = []
    for lost in range(prompts // 10):
        values = (np.arange(prompts)[np.newaxis] < lost).astype(float)
        p_value = equivalence_p_value(crossed_bootstrap(values, np.arange(prompts), 200), margin, rate=True)
        called += [lost] if p_value is not None and p_value < 0.05 else []
    assert math.fsum(stats.binom.pmf(called, prompts, margin)) < 0.05
