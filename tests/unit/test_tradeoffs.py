"""The Pareto front against its definition, in words, in charts and in the table; names in charts that stay apart."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from compare import compared
from prefsweep.comparison import Comparison
from prefsweep.label_places import apart, label_places
from prefsweep.palette import method_colours
from prefsweep.pareto import Front, dominators, pareto_front
from prefsweep.plan import BASE
from prefsweep.point_table import point_rows
from prefsweep.results import StudyResults, read_study
from prefsweep.table import Row
from prefsweep.tradeoff_charts import MOST_INTERVALS, tradeoff_figures
from prefsweep.tradeoffs import MOST_NAMED, front_sentences
from tests.example_study import METHODS, Shape, build_study


def _row(point: str, quality: float | None, train: float | None, answer: float | None, tax: float | None) -> Row:
    return {
        "point": point, "method": point.split("-")[0], "estimate": quality, "train_seconds": train,
        "server_seconds_per_answer": answer, "tax_mean_change": tax,
    }  # fmt: skip


BASE_ROW = _row(BASE, 0.5, None, 1.0, None)


def test_dominance_is_no_worse_in_all_and_better_in_one() -> None:
    values = np.random.default_rng(1).integers(0, 4, size=(40, 3)).astype(float)
    found = dominators(values)
    for one, other in itertools.product(range(40), repeat=2):
        pairs = list(zip(values[one], values[other], strict=True))
        expected = all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
        assert bool(found[one, other]) is expected


def test_the_front_knows_which_way_is_better_and_what_the_base_has_by_definition() -> None:
    rows = [
        BASE_ROW,
        _row("dpo-1", 0.8, 60, 1.0, -0.1),
        _row("dpo-2", 0.7, 60, 1.0, -0.1),
        _row("kto-1", 0.6, 60, 0.9, -0.1),
        _row("cpo-1", 0.6, 70, 0.9, 0.1),
        _row("cpo-2", 0.4, 10, 1.0, -0.1),
    ]
    front = pareto_front(rows, "higher")
    assert front.beaten_by == {
        BASE: None, "dpo-1": None, "dpo-2": "dpo-1", "kto-1": None, "cpo-1": None, "cpo-2": BASE,
    }  # fmt: skip
    assert pareto_front(rows, "lower").beaten_by["cpo-2"] is None
    assert front.columns("dpo-2") == {"not_dominated": False, "dominated_by": "dpo-1"}
    assert front.columns(BASE) == {"not_dominated": True, "dominated_by": None}


def test_equal_points_do_not_dominate_each_other() -> None:
    rows = [_row("dpo-1", 0.8, 60, 1.0, 0.0), _row("dpo-2", 0.8, 60, 1.0, 0.0)]
    assert set(pareto_front(rows, "higher").beaten_by.values()) == {None}


def test_what_nobody_has_is_no_objective_and_who_lacks_one_is_left_out() -> None:
    rows = [BASE_ROW, _row("dpo-1", 0.8, 60, 1.0, None), _row("kto-1", 0.6, 60, None, None), _row("cpo-1", *[None] * 4)]
    front = pareto_front(rows, "higher")
    assert [one.column for one in front.objectives] == ["estimate", "train_seconds", "server_seconds_per_answer"]
    assert front.left_out == ("kto-1",)
    assert front.columns("kto-1") == front.columns("cpo-1") == {"not_dominated": None, "dominated_by": None}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    variants = -(-MOST_INTERVALS // 2)
    shape = Shape(methods=("dpo", "simpo"), variants=variants, heldout=6, showcase=1, steps=2)
    return read_study(build_study(tmp_path_factory.mktemp("study"), shape))


@pytest.fixture(scope="module")
def comparison(study: StudyResults) -> Comparison:
    return compared(study)


@pytest.fixture(scope="module")
def front(study: StudyResults, comparison: Comparison) -> Front:
    return pareto_front(point_rows(study, comparison), comparison.direction)


def test_the_words_name_every_point_once_or_count_it(comparison: Comparison, front: Front) -> None:
    best, beaten, *rest = front_sentences(comparison, front)
    assert best.startswith("Not dominated: ")
    hidden = sum(dominator is not None for dominator in front.beaten_by.values())
    assert hidden > MOST_NAMED
    assert beaten.startswith(f"The other {hidden} are dominated")
    assert any("means alone" in sentence for sentence in rest)


def test_of_many_points_only_named_ones_have_intervals_and_all_are_drawn(
    study: StudyResults, comparison: Comparison, front: Front
) -> None:
    rows = {str(row["point"]): row for row in point_rows(study, comparison)}
    figures = tradeoff_figures(comparison, front, rows, method_colours((BASE, *METHODS)))
    assert [figure.id for figure in figures] == [
        "tradeoff-train_seconds", "tradeoff-server_seconds_per_answer", "tradeoff-tax_mean_change",
        "tradeoff-kl_from_base_estimate",
    ]  # fmt: skip
    for figure in figures:
        rows = figure.spec["datasets"]["points"]
        assert [row["id"] for row in rows] == [point.point for point in comparison.points]
        assert [row["sure"] for row in rows] == [bool(row["name"]) for row in rows]
        assert sorted(row["name"] for row in rows if row["name"]) == ["base", "dpo", "simpo"]
        assert [row["front"] for row in rows] == [front.beaten_by[row["id"]] is None for row in rows]
        assert {one["name"] for one in figure.spec["params"]} == {"brush", "picked"}


def test_the_distance_from_the_base_is_drawn_and_not_judged(
    study: StudyResults, comparison: Comparison, front: Front
) -> None:
    rows = {
        str(row["point"]): row | {"kl_from_base_estimate": None if row["method"] == BASE else 0.2}
        for row in point_rows(study, comparison)
    }
    colours = method_colours((BASE, *METHODS))
    figures = tradeoff_figures(comparison, front, rows, colours)
    assert [figure.spec for figure in figures] == [
        figure.spec for figure in tradeoff_figures(comparison, front, rows, colours)
    ], "specifications repeat exactly"
    assert figures[-1].note.endswith("not judged")
    assert figures[-1].spec["datasets"]["points"][0]["cost"] == 0
    for row in rows.values():
        del row["kl_from_base_estimate"]
    assert len(tradeoff_figures(comparison, front, rows, colours)) == len(figures) - 1, "no run has it"
    assert all("kl" not in objective.column for objective in front.objectives)


def test_names_stay_apart_and_inside() -> None:
    points = [(10.0, 50.0, "base"), (12.0, 52.0, "dpo"), (290.0, 50.0, "simpo"), (290.0, 55.0, "cpo")]
    places = label_places(points, 300)
    assert [place.align for place in places[2:]] == ["right", "right"]
    assert len({(place.align, place.dy) for place in places[:2]}) == 2
    assert places[2].dy != places[3].dy


@pytest.mark.parametrize(
    ("heights", "moved"),
    [
        ([], []),
        ([10, 90], [10, 90]),
        ([50, 50], [43.5, 56.5]),
        ([52, 50, 51, 200], [64, 38, 51, 200]),
        ([50, 50, 70], [43.5, 56.5, 70]),
        ([50, 50, 66], [42.33, 55.33, 68.33]),
    ],
)
def test_names_one_below_the_other_are_moved_no_further_than_they_must(
    heights: list[float], moved: list[float]
) -> None:
    assert apart(heights) == pytest.approx(moved, abs=0.01)


def test_nothing_to_compare_is_nothing_said(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo",), heldout=4, steps=2, unfinished=("dpo",))
    study = read_study(build_study(tmp_path, shape))
    comparison = compared(study)
    rows = {str(row["point"]): row for row in point_rows(study, comparison)}
    alone = pareto_front(rows.values(), comparison.direction)
    assert (front_sentences(comparison, alone), tradeoff_figures(comparison, alone, rows, {})) == ([], [])
