"""The length-controlled win rate: what it removes, what it leaves, and that it is finite and unsure where needed."""

import json
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import t as student

from prefsweep.length_control import length_controlled

Floats = npt.NDArray[np.float64]


def simulated(theta: float, phi: float, seeds: int, prompts: int, generator: int) -> tuple[Floats, Floats]:
    """Outcomes of a judge who follows θ and, by φ, the length; the arm's answers are longer by 0.8 SD on average."""
    chance = np.random.default_rng(generator)
    lengths = chance.normal(80, 100, (seeds, prompts))
    wins = chance.random((seeds, prompts)) < expit(theta + phi * np.tanh(lengths / lengths.std()))
    return wins.astype(float), lengths


def test_a_pure_length_effect_is_removed() -> None:
    wins, lengths = simulated(theta=0.0, phi=2.0, seeds=3, prompts=1000, generator=1)
    found = length_controlled(wins, lengths, np.arange(1000), draws=200)
    assert wins.mean() > 0.65
    assert found.win_rate == pytest.approx(0.5, abs=0.04)
    assert found.low < 0.5 < found.high
    assert found.length_effect == pytest.approx(2.0, abs=0.3)


def test_what_is_not_length_stays() -> None:
    wins, lengths = simulated(theta=1.0, phi=0.0, seeds=3, prompts=1000, generator=2)
    found = length_controlled(wins, lengths, np.arange(1000), draws=200)
    assert found.win_rate == pytest.approx(float(expit(1.0)), abs=0.03)
    assert found.low > 0.5


def test_the_fit_is_the_penalised_maximum() -> None:
    """Against scipy's general optimiser on the same likelihood, ties and all."""
    wins, lengths = simulated(theta=0.4, phi=0.7, seeds=1, prompts=60, generator=3)
    wins[0, :10] = 0.5
    x = np.tanh(lengths / lengths.std())

    def loss(b: Floats) -> float:
        p = expit(b[0] + b[1] * x)
        return float(-(wins * np.log(p) + (1 - wins) * np.log(1 - p)).sum() + (b**2).sum() / (2 * 2.5**2))

    expected = minimize(loss, np.zeros(2)).x
    found = length_controlled(wins, lengths, np.arange(60), draws=2)
    assert found.win_rate == pytest.approx(float(expit(expected[0])), abs=1e-5)
    assert found.length_effect == pytest.approx(float(expected[1]), abs=1e-4)


def test_without_the_prior_it_is_the_logit_of_statsmodels(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Logit(wins, [1, tanh(Δ / sd)]).fit()` of 0.15.0; with ties, which it does not take, `GLM(…, Binomial())`."""
    monkeypatch.setattr("prefsweep.length_control._PRIOR_PRECISION", 1e-12)
    wins, lengths = simulated(theta=0.4, phi=0.7, seeds=1, prompts=400, generator=9)
    found = length_controlled(wins, lengths, np.arange(400))
    assert logit(found.win_rate) == pytest.approx(0.47461943413336366, rel=1e-6)
    assert found.length_effect == pytest.approx(0.7863051703445559, rel=1e-6)
    error = (logit(found.high) - logit(found.win_rate)) / student.ppf(0.975, 399)
    assert error == pytest.approx(0.1347910948676103, rel=0.05), "the refits spread as the model says they should"
    wins, lengths = simulated(theta=0.4, phi=0.7, seeds=1, prompts=60, generator=3)
    wins[0, :10] = 0.5
    tied = length_controlled(wins, lengths, np.arange(60), draws=2)
    assert logit(tied.win_rate) == pytest.approx(0.8371015587739287, rel=1e-6)
    assert tied.length_effect == pytest.approx(-0.14544911167063584, rel=1e-6)
    wins, lengths = simulated(theta=0.4, phi=0.7, seeds=2, prompts=60, generator=8)
    both = length_controlled(wins, lengths, np.arange(60), draws=2)
    assert logit(both.win_rate) == pytest.approx(0.38514325469397687, rel=1e-6)
    assert both.length_effect == pytest.approx(0.22521658444697365, rel=1e-6)


def test_the_prior_moves_an_ordinary_fit_by_less_than_half_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    wins, lengths = simulated(theta=0.3, phi=0.5, seeds=1, prompts=100, generator=4)
    usual = length_controlled(wins, lengths, np.arange(100), draws=2)
    monkeypatch.setattr("prefsweep.length_control._PRIOR_PRECISION", 1e-12)
    assert length_controlled(wins, lengths, np.arange(100), draws=2).win_rate == pytest.approx(usual.win_rate, abs=5e-3)


@pytest.mark.parametrize(("prompts", "least"), [(5, 0.05), (30, 0.7), (300, 0.95)])
def test_all_won_is_finite_and_less_sure_with_fewer_prompts(prompts: int, least: float) -> None:
    lengths = np.random.default_rng(5).normal(0, 1, (1, prompts))
    found = length_controlled(np.ones((1, prompts)), lengths, np.arange(prompts), draws=200)
    assert least < found.low < found.win_rate < found.high < 1
    assert found.low < 1 - 1 / prompts


def test_outcomes_that_length_separates_do_not_explode() -> None:
    lengths = np.linspace(-50, 50, 40)[np.newaxis]
    found = length_controlled((lengths > 0).astype(float), lengths, np.arange(40), draws=500)
    assert found.win_rate == pytest.approx(0.5, abs=1e-6)
    assert 0.1 < found.low < found.high < 0.9


def test_equal_lengths_leave_the_win_rate() -> None:
    outcomes = np.array([[1.0, 1.0, 0.5, 0.0] * 10])
    found = length_controlled(outcomes, np.zeros((1, 40)), np.arange(40), draws=200)
    assert found.win_rate == pytest.approx(outcomes.mean(), abs=5e-3)
    assert found.length_effect == 0


def test_copies_of_prompts_do_not_narrow_the_interval() -> None:
    wins, lengths = simulated(theta=0.5, phi=0.5, seeds=1, prompts=50, generator=6)
    once = length_controlled(wins, lengths, np.arange(50), draws=500)
    clusters = np.tile(np.arange(50), 4)
    copied = length_controlled(np.tile(wins, 4), np.tile(lengths, 4), clusters, draws=500)
    assert copied.high - copied.low > 0.95 * (once.high - once.low)


def test_seeds_that_differ_widen_the_interval() -> None:
    chance = np.random.default_rng(7)
    lengths = chance.normal(0, 1, (3, 200))
    rates = np.array([[0.3], [0.5], [0.7]])
    apart = length_controlled((chance.random((3, 200)) < rates).astype(float), lengths, np.arange(200), draws=500)
    alike = length_controlled((chance.random((3, 200)) < 0.5).astype(float), lengths, np.arange(200), draws=500)
    assert apart.high - apart.low > 2 * (alike.high - alike.low)


ROOT = Path(__file__).resolve().parents[2]
MEASURED = ("plain_win_rate", "length_controlled_win_rate", "true_win_rate", "interval_coverage")


def test_the_pages_table_is_the_benchmarks() -> None:
    path = ROOT / "benchmarks" / "results" / "length_control.json"
    figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
    page = (ROOT / "docs" / "judge.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| answers .* \| (\d) \| (.*) \|$", page, flags=re.MULTILINE)
    worlds = [f"{effect}_{seeds}_seeds" for effect in ("length_alone", "quality_alone", "both") for seeds in (1, 3)]
    told = [[f"{100 * figures[f'{name}_of_{world}']:.1f} %" for name in MEASURED] for world in worlds]
    assert [cells.split(" | ") for _, cells in rows] == told
    assert [seeds for seeds, _ in rows] == ["1", "3"] * 3
    assert abs(figures["length_controlled_win_rate_of_length_alone_3_seeds"] - 0.5) < 0.01
    assert figures["interval_coverage"] > 0.9
