"""The catalogue: shipped methods, the translation of knobs, and faults in a method file."""

import math
from pathlib import Path

import pytest

from catalogue import METHODS_PAGE, page_texts
from prefsweep.balance import is_published, label_balance, label_weights
from prefsweep.methods import load_method, load_methods
from prefsweep.plan import Point

DIRECTORY = Path(__file__).resolve().parents[2] / "config" / "methods"
METHODS = load_methods(DIRECTORY)


def test_the_five_methods_are_there() -> None:
    assert {"dpo", "orpo", "simpo", "kto", "cpo"} < set(METHODS)
    assert {name for name, method in METHODS.items() if method.data == "labelled"} == {"kto", "apo_zero_unpaired"}


@pytest.mark.parametrize("name", METHODS)
def test_defaults_lie_in_the_published_range(name: str) -> None:
    for spec in (*METHODS[name].knobs.values(), METHODS[name].learning_rate):
        if spec.published is not None:
            low, high = spec.published
            assert low <= spec.default <= high


def test_the_page_about_methods_is_that_of_the_catalogue() -> None:
    assert METHODS_PAGE.read_text(encoding="utf-8") == page_texts()[METHODS_PAGE], "run `make schema`"


@pytest.mark.parametrize(
    ("desirable", "undesirable", "weights"),
    [
        (100, 100, {}),
        (400, 300, {}),
        (300, 700, {"desirable_weight": 2.72}),
        (900, 100, {"undesirable_weight": 7.71}),
    ],
)
def test_ktos_weights_follow_from_the_labels(desirable: int, undesirable: int, weights: dict[str, float]) -> None:
    balance = METHODS["kto"].balance
    assert balance is not None
    labels = {True: desirable, False: undesirable}
    assert balance.weights(labels) == weights
    settings = {"desirable_weight": 1.0, "undesirable_weight": 1.0} | weights
    point = Point(id="kto-1", method="kto", label="kto", settings=settings, objective="")
    (weighed,) = label_weights([point, point], METHODS)
    found = label_balance(weighed, labels)
    assert found.ratio == settings["desirable_weight"] * desirable / (settings["undesirable_weight"] * undesirable)
    assert is_published(found)
    assert not is_published(label_balance(weighed, {True: desirable, False: 2 * undesirable}))


def test_first_losses_are_those_of_an_adapter_that_changes_nothing() -> None:
    weights = {"beta": 0.1, "desirable_weight": 1.2, "undesirable_weight": 1.2}
    assert METHODS["dpo"].expected_first_loss({"beta": 0.1}) == pytest.approx(math.log(2))
    assert METHODS["kto"].expected_first_loss(weights) == pytest.approx(0.6)
    assert METHODS["kto"].expected_first_loss(weights | {"undesirable_weight": 1.0}) is None
    assert METHODS["simpo"].expected_first_loss({"beta": 2.0, "gamma_beta_ratio": 0.5}) is None
    assert METHODS["ipo"].expected_first_loss({"beta": 0.05}) == pytest.approx(100)
    assert METHODS["exo_pair"].expected_first_loss({"beta": 0.1, "label_smoothing": 0.5}) == pytest.approx(0)


def test_formulas_literals_and_lists_become_flags() -> None:
    flags = METHODS["simpo"].engine_flags({"beta": 2.5, "gamma_beta_ratio": 0.4})
    assert flags == {"rlhf_type": "simpo", "beta": 2.5, "simpo_gamma": 1.0, "cpo_alpha": 0}
    weights = {"preference_weight": 0.8, "quality_weight": 0.2, "generation_weight": 1.0}
    mixed = METHODS["mpo"].engine_flags({"beta": 0.1} | weights)
    assert mixed["loss_type"] == ["sigmoid", "bco_pair", "sft"]
    assert mixed["loss_weights"] == [0.8, 0.2, 1.0]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("method: dpo", "method: dpx", "name it dpx.yaml"),
        ("above: 0", "abov: 0", "abov"),
        ("at_most: 100", "at_most: 100\n    below: 100", "exactly one of `below` and `at_most`"),
        ('beta: "{beta}"', 'beta: "{betta}"', "beta: betta is no knob of dpo"),
        ("β = {beta}", "β = {bet}", "objective: bet is no knob"),
        ('"{log(2)}"', '"{log(2}"', "is no formula"),
        ('"{log(2)}"', '"{-log(2)}"', "cannot begin with a minus"),
        ("data: pairs", "data: pear", "data"),
    ],
)
def test_a_wrong_method_file_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    file = tmp_path / "dpo.yaml"
    file.write_text((DIRECTORY / "dpo.yaml").read_text().replace(old, new))
    with pytest.raises(ValueError, match=expected) as caught:
        load_method(file)
    assert "dpo.yaml" in str(caught.value)
