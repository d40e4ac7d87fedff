"""Golden values from statsmodels 0.15.0, and what the cross-checks have no answer to."""

import numpy as np
import pytest

from prefsweep.cross_checks import mcnemar_p_value, two_way_standard_error
from prefsweep.statistics import Array, crossed_bootstrap

CLUSTERS = np.arange(30) // 3


def _differences() -> Array:
    """Four seeds that differ, thirty prompts in ten clusters that do too."""
    generator = np.random.default_rng(7)
    values: Array = generator.normal(0.2, 1, (4, 30)) + generator.normal(0, 0.5, (4, 1))
    return values + np.repeat(generator.normal(0, 0.7, 10), 3)


def test_the_standard_error_is_that_of_statsmodels() -> None:
    """`OLS(values, 1).fit(cov_type="cluster")`, grouped by seed and cluster; with one seed by cluster."""
    assert two_way_standard_error(_differences(), CLUSTERS) == pytest.approx(0.27066662683182713, rel=1e-9)
    assert two_way_standard_error(_differences()[:1], CLUSTERS) == pytest.approx(0.2784490332517183, rel=1e-9)


def test_it_agrees_with_the_bootstrap_where_both_have_much_to_go_by() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(0, 0.3, (20, 1)) + generator.normal(0, 1, (1, 400)) + generator.normal(0, 0.1, (20, 400))
    expected = crossed_bootstrap(values, np.arange(400)).standard_error
    assert two_way_standard_error(values, np.arange(400)) == pytest.approx(expected, rel=0.1)


def test_three_variances_that_do_not_add_up_give_no_standard_error() -> None:
    assert two_way_standard_error(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.arange(2)) is None


@pytest.mark.parametrize(
    ("won", "lost", "p_value"), [(10, 3, 0.09228515625), (25, 9, 0.00904118549078703), (0, 0, 1.0)]
)
def test_mcnemar_is_that_of_statsmodels(won: int, lost: int, p_value: float) -> None:
    """`mcnemar(table, exact=True)`."""
    values = np.array([[1.0] * won + [-1.0] * lost + [0.0] * 40])
    assert mcnemar_p_value(values, np.arange(values.size)) == pytest.approx(p_value)


def test_mcnemar_needs_one_seed_and_independent_prompts() -> None:
    assert mcnemar_p_value(np.ones((2, 9)), np.arange(9)) is None
    assert mcnemar_p_value(np.ones((1, 9)), np.arange(9) // 3) is None
