"""The figures: one colour and symbol per method, every point drawn, repeatable specifications."""

import json
from pathlib import Path

import pytest

from compare import compared
from prefsweep.charts import MOST_POINTS_DRAWN, metric_figure
from prefsweep.comparison import Comparison
from prefsweep.methods import load_methods
from prefsweep.metrics import METRICS
from prefsweep.palette import method_colours, method_shapes, on_dark
from prefsweep.plan import BASE
from prefsweep.results import StudyResults, read_study
from tests.example_study import METHODS, Shape, build_study

ROOT = Path(__file__).resolve().parents[2]
COLOURS = method_colours((BASE, *METHODS))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    shape = Shape(seeds=(0, 1), heldout=10, showcase=1, steps=200)
    return read_study(build_study(tmp_path_factory.mktemp("study"), shape))


@pytest.fixture(scope="module")
def comparison(study: StudyResults) -> Comparison:
    return compared(study)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_method_has_its_own_visible_colour_and_symbol() -> None:
    assert len(set(COLOURS.values())) == len(set(method_shapes(COLOURS).values())) == len(COLOURS)
    for colour in COLOURS.values():
        assert _contrast(colour, "#ffffff") >= 3
        assert _contrast(on_dark(colour), "#14171c") >= 4.5


def test_no_two_methods_look_alike_and_a_variant_looks_the_same_in_every_study() -> None:
    names = (BASE, *load_methods(ROOT / "config" / "methods"), "rloo", "odpo")
    colours, shapes = method_colours(names), method_shapes(names)
    assert len({(colours[name], shapes[name]) for name in names}) == len(names)
    for colour in colours.values():
        assert _contrast(colour, "#ffffff") >= 3
        assert _contrast(on_dark(colour), "#14171c") >= 4.5
    assert method_colours(("mpo", "dpo")) == {"mpo": colours["mpo"], "dpo": colours["dpo"]}


def test_every_point_is_drawn_with_its_interval_and_seeds(comparison: Comparison) -> None:
    figure = metric_figure(comparison, METRICS["preference_accuracy"], COLOURS, dots=True)
    text = json.dumps(figure.spec)
    for point in comparison.points:
        measured = point.metrics["preference_accuracy"]
        assert json.dumps(measured.mean.low) in text
        assert point.label in text
    assert all(point.method in figure.description for point in comparison.points)


def test_a_bar_starts_at_zero_even_when_every_value_is_zero(comparison: Comparison) -> None:
    zero = {"estimate": 0.0, "low": 0.0, "high": 0.0}
    points = []
    for point in comparison.points:
        metric = point.metrics["repetition"]
        flat = metric.model_copy(update={"mean": metric.mean.model_copy(update=zero)})
        points.append(point.model_copy(update={"metrics": {"repetition": flat}}))
    flat_comparison = comparison.model_copy(update={"points": points})
    figure = metric_figure(flat_comparison, METRICS["repetition"], COLOURS, dots=False)
    domains = [layer["encoding"]["x"].get("scale") for layer in figure.spec["layer"]]
    assert {"domain": [0, 1]} in domains


def test_of_many_points_each_methods_best_is_drawn_and_the_best_others(comparison: Comparison) -> None:
    worst = min(comparison.points[1:], key=lambda point: point.metrics["preference_accuracy"].mean.estimate)
    other = next(point for point in comparison.points[1:] if point.method != worst.method)
    many = [
        other.model_copy(
            update={"point": f"{other.method}-{i:08x}", "label": f"{other.method} {i}", "best_of_method": i == 299}
        )
        for i in range(300)
    ]
    wide = comparison.model_copy(update={"points": [comparison.points[0], *many, worst]})
    figure = metric_figure(wide, METRICS["emoji"], COLOURS, dots=True)
    assert f"24 of {len(wide.points)} points" in figure.note
    assert figure.description.count(f"{other.method} ") == MOST_POINTS_DRAWN - 2
    assert worst.method in figure.description
    assert f"{other.method} 299 " in figure.description


def test_specifications_repeat_exactly(comparison: Comparison) -> None:
    def spec() -> str:
        return json.dumps(metric_figure(comparison, METRICS["emoji"], COLOURS, dots=True).spec)

    assert spec() == spec()
