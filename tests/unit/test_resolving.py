"""How many prompts or seeds would resolve an effect, against arithmetic by hand."""

import pytest

from prefsweep.resolving import prompts_to_resolve, seeds_to_resolve
from prefsweep.statistics import Interval, minimum_detectable_effect


def _interval(
    error: float, seed_error: float = 0.0, seed_share: float = 0.0, seeds: int = 1, clusters: int = 100
) -> Interval:
    return Interval(
        estimate=0.1, low=0, high=0.2, p_value=0.3, standard_error=error, seed_standard_error=seed_error,
        seed_share=seed_share, seeds=seeds, clusters=clusters,
    )  # fmt: skip


def test_the_number_of_prompts_that_would_resolve_a_difference() -> None:
    one_seed = _interval(error=0.1, clusters=10**6)
    assert prompts_to_resolve(one_seed, 100, 0.5 * minimum_detectable_effect(one_seed)) == pytest.approx(400, abs=1)
    assert prompts_to_resolve(one_seed, 100, 0.0) is None


def test_prompts_do_not_resolve_what_seeds_differ_in() -> None:
    """Of a variance of 1, 0.36 stays, and three seeds show 0.693 of theirs in the median: nothing below
    0.6 / √0.693 × (t(0.975, 2) + t(0.8, 2)) is detectable."""
    three_seeds = _interval(error=1.0, seed_error=0.6, seed_share=0.4, seeds=3, clusters=1000)
    least = 0.6 / 0.6931472**0.5 * (4.302653 + 1.060660)
    assert prompts_to_resolve(three_seeds, 100, 0.99 * least) is None
    needed = prompts_to_resolve(three_seeds, 100, 1.005 * least)
    assert needed is not None
    assert needed > 1000


def test_the_number_of_seeds_that_would_resolve_a_difference() -> None:
    """All of the noise is the seeds', of which three show 0.693 in the median: n of them detect
    (t(0.975, n - 1) + t(0.8, n - 1)) × √(3 / n / 0.693)."""
    seeds_alone = _interval(error=1.0, seed_error=1.0, seed_share=1.0, seeds=3)
    quantiles = {7: 2.446912 + 0.905703, 8: 2.364624 + 0.896030}
    detectable = {n: quantile * (3 / n / 0.6931472) ** 0.5 for n, quantile in quantiles.items()}
    assert seeds_to_resolve(seeds_alone, 1.0001 * detectable[8]) == 8
    assert seeds_to_resolve(seeds_alone, 0.9999 * detectable[7]) == 8
    assert seeds_to_resolve(seeds_alone, 1.0001 * detectable[7]) == 7


def test_seeds_do_not_resolve_what_prompts_differ_in() -> None:
    """Of a variance of 1 the prompts' 0.64 stays, however many the seeds."""
    mostly_prompts = _interval(error=1.0, seed_error=0.6, seed_share=0.36, seeds=3, clusters=10**6)
    assert seeds_to_resolve(mostly_prompts, 0.8 * (1.959964 + 0.841621)) is None
    assert seeds_to_resolve(_interval(error=1.0, clusters=50), 5.0) is None, "one seed does not tell"
