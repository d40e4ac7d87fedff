"""Golden values against scipy or arithmetic, and simulations that would notice a test that is too sure."""

import math

import numpy as np
import pytest
from scipy import stats

from prefsweep.statistics import (
    Array,
    Interval,
    crossed_bootstrap,
    crossed_bootstraps,
    holm,
    median_unbiased,
    minimum_detectable_effect,
    rate_interval,
    wilson,
)


def _values(seeds: int = 1, prompts: int = 200, shift: float = 0.0, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(shift, 1.0, size=(seeds, prompts))


def test_one_seed_agrees_with_the_paired_t_test() -> None:
    values = _values(shift=0.12)
    expected = stats.ttest_1samp(values[0], 0.0)
    found = crossed_bootstrap(values, np.arange(200), draws=20_000)
    assert found.estimate == pytest.approx(values.mean())
    assert found.standard_error == pytest.approx(stats.sem(values[0]), rel=0.03)
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.15)
    assert (found.low, found.high) == pytest.approx(expected.confidence_interval(), abs=0.01)
    assert (found.seeds, found.clusters, found.seed_standard_error) == (1, 200, 0.0)


def test_the_bootstrap_has_owens_variance() -> None:
    """E[v] ≈ seeds' + prompts' + 3 × the cells' part (Owen 2007, theorem on two factors, leading order)."""
    generator = np.random.default_rng(3)
    seeds, prompts = 40, 300
    values = (
        generator.normal(0, 0.2, (seeds, 1))
        + generator.normal(0, 1, (1, prompts))
        + generator.normal(0, 2, (seeds, prompts))
    )
    expected = 0.2**2 / seeds + 1 / prompts + 3 * 4 / (seeds * prompts)
    assert crossed_bootstrap(values, np.arange(prompts)).standard_error ** 2 == pytest.approx(expected, rel=0.25)


def test_disagreeing_seeds_widen_the_interval() -> None:
    values = _values(seeds=3)
    apart = values + np.array([[-0.5], [0.0], [0.5]])
    calm, wild = (crossed_bootstrap(v, np.arange(200)) for v in (values, apart))
    assert wild.standard_error > 2 * calm.standard_error
    assert wild.quantile(0.975) == pytest.approx(stats.t.ppf(0.975, 2), rel=0.1)
    assert wild.seed_standard_error == pytest.approx(0.5 / math.sqrt(3), rel=0.3)


def test_duplicating_prompts_within_clusters_does_not_shrink_the_interval() -> None:
    values, clusters = _values(seeds=2), np.arange(200)
    once = crossed_bootstrap(values, clusters)
    twice = crossed_bootstrap(np.tile(values, 3), np.tile(clusters, 3))
    assert twice.model_dump() == pytest.approx(once.model_dump())


def test_duplicates_counted_as_new_prompts_would_shrink_it() -> None:
    values = _values()
    assert crossed_bootstrap(np.tile(values, 3), np.arange(600)).standard_error < 0.7 * (
        crossed_bootstrap(values, np.arange(200)).standard_error
    )


def test_all_arms_share_the_draws() -> None:
    values = _values(seeds=2)
    first, second, shifted = crossed_bootstraps(np.stack([values, values, values + 1]), np.arange(200))
    assert first.model_dump() == pytest.approx(second.model_dump())
    assert first.model_dump() == pytest.approx(crossed_bootstrap(values, np.arange(200)).model_dump())
    assert shifted.standard_error == pytest.approx(first.standard_error)


def test_the_order_of_clusters_and_their_names_do_not_matter() -> None:
    values, names = _values(seeds=2, prompts=6), np.array([7, 3, 7, 9, 3, 9])
    order = np.array([3, 0, 5, 1, 4, 2])
    one, other = (crossed_bootstrap(v, c) for v, c in ((values, names), (values[:, order], names[order])))
    assert one.model_dump() == pytest.approx(other.model_dump())


def _false_positives(seeds: int, seed_deviation: float, studies: int = 250, prompts: int = 150) -> float:
    """Share of studies with p < 0.05 when the method has no effect and its seeds drift."""
    generator = np.random.default_rng(11)
    hits = 0
    for _ in range(studies):
        drift = generator.normal(0, seed_deviation, (seeds, 1))
        chances = generator.beta(1, 4, prompts) / 2
        up = generator.random((seeds, prompts)) < np.clip(chances + drift / 2, 0, 1)
        down = generator.random((seeds, prompts)) < np.clip(chances - drift / 2, 0, 1)
        difference = up.astype(float) - down
        hits += crossed_bootstrap(difference, np.arange(prompts), draws=400).p_value < 0.05
    return hits / studies


@pytest.mark.parametrize(("seeds", "deviation"), [(1, 0.0), (3, 0.0), (3, 0.03), (5, 0.03)])
def test_false_positives_stay_below_five_per_cent(seeds: int, deviation: float) -> None:
    assert _false_positives(seeds, deviation) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 250)


def test_one_seed_cannot_speak_for_its_method() -> None:
    """Why one seed is labelled "this checkpoint": seeds that drift make a prompt-only test far too sure."""
    assert _false_positives(1, 0.05) > 0.15


def test_a_detectable_effect_is_found_about_as_often_as_promised() -> None:
    generator, found = np.random.default_rng(5), 0
    effect = minimum_detectable_effect(_interval(error=1 / math.sqrt(100)))
    for _ in range(300):
        values = generator.normal(effect, 1, (1, 100))
        found += crossed_bootstrap(values, np.arange(100), draws=300).p_value < 0.05
    assert found / 300 == pytest.approx(0.8, abs=0.07)


def test_few_prompts_cannot_be_more_certain_than_their_signs() -> None:
    assert crossed_bootstrap([[1.0, 1.0, 1.0]], [0, 1, 2]).p_value == 0.25
    assert crossed_bootstrap([[1.0, 1.01, 0.99]], [0, 1, 2]).p_value == 0.25
    assert crossed_bootstrap([[0.0, 0.0]], [0, 1]).p_value == 1.0


@pytest.mark.parametrize(
    ("values", "clusters", "complaint"),
    [
        ([[1.0, math.nan]], [0, 1], "not finite"),
        ([[1.0, 2.0]], [0, 0], "two clusters"),
        ([[1.0, 2.0]], [0, 1, 2], "do not fit"),
        ([1.0, 2.0], [0, 1], "do not fit"),
    ],
)
def test_input_without_an_answer_is_refused(values: list[float], clusters: list[int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        crossed_bootstrap(values, clusters)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (250, 500), (1, 1)])
def test_wilson_agrees_with_scipy(successes: int, n: int) -> None:
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(-1, 10), (11, 10), (0, 0)])
def test_wilson_refuses_what_is_no_rate(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a rate"):
        wilson(successes, n)


def test_a_rate_of_one_seed_has_wilsons_interval() -> None:
    values = np.zeros((1, 50))
    values[0, :40] = 1
    found = rate_interval(crossed_bootstrap(values, np.arange(50), draws=20_000))
    assert (found.low, found.high) == pytest.approx(wilson(40, 50), abs=0.01)


def test_a_rate_on_which_all_prompts_agree_still_has_a_width() -> None:
    found = rate_interval(crossed_bootstrap(np.ones((3, 50)), np.arange(50)))
    assert (found.low, found.high) == pytest.approx(wilson(50, 50))


def test_holm_by_hand() -> None:
    """Sorted: 0.005 × 4, 0.01 × 3, 0.03 × 2, and 0.04 × 1 raised to its predecessor's 0.06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_detectable_effects() -> None:
    many = _interval(error=1.0, clusters=10**9)
    assert minimum_detectable_effect(many) == pytest.approx(1.959964 + 0.841621, abs=1e-6)
    assert minimum_detectable_effect(many, alpha=0.01, power=0.9) == pytest.approx(2.575829 + 1.281552, abs=1e-5)
    assert minimum_detectable_effect(_interval(error=2.0, clusters=5)) == pytest.approx(
        2 * (2.776445 + 0.940965), abs=1e-5
    )


def test_few_seeds_that_agree_by_luck_do_not_make_small_effects_detectable() -> None:
    """The medians of χ² with 1, 2 and 4 degrees of freedom: 0.454936, 1.386294, 3.356694."""
    for seeds, shown in ((2, 0.454936), (3, 1.386294 / 2), (5, 3.356694 / 4)):
        like = median_unbiased(_interval(error=1.0, seed_share=0.25, seeds=seeds))
        assert like.standard_error**2 == pytest.approx(0.75 + 0.25 / shown, abs=1e-5)
        assert like.seed_share == pytest.approx(0.25 / shown / like.standard_error**2, abs=1e-5)
    assert median_unbiased(_interval(error=1.0)) == _interval(error=1.0)


def test_quantiles_are_students_by_the_shares_of_prompts_and_seeds() -> None:
    """Cochran and Cox (1957): t(0.975) is 1.984217 with 99 degrees of freedom and 4.302653 with 2."""
    mixed = _interval(error=1.0, seed_share=0.25, seeds=3)
    assert mixed.quantile(0.975) == pytest.approx(0.75 * 1.984217 + 0.25 * 4.302653, abs=1e-6)
    assert _interval(error=1.0).quantile(0.975) == pytest.approx(1.984217, abs=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.975, 1 - 1e-9])
def test_a_tail_is_the_quantile_inverted(share: float, level: float) -> None:
    one = _interval(error=1.0, seed_share=share, seeds=3)
    assert one.tail(one.quantile(level)) == pytest.approx(1 - level, rel=1e-6)
    assert one.tail(-one.quantile(level)) == pytest.approx(level, rel=1e-6)


def test_a_tail_too_small_for_a_number_is_small() -> None:
    assert _interval(error=1.0, clusters=5000).tail(60.0) <= 1e-300
    assert _interval(error=1.0, seed_share=1e-12, seeds=2, clusters=5000).tail(60.0) < 1e-9


def _interval(
    error: float, seed_error: float = 0.0, seed_share: float = 0.0, seeds: int = 1, clusters: int = 100
) -> Interval:
    return Interval(
        estimate=0.1,
        low=0,
        high=0.2,
        p_value=0.3,
        standard_error=error,
        seed_standard_error=seed_error,
        seed_share=seed_share,
        seeds=seeds,
        clusters=clusters,
    )
