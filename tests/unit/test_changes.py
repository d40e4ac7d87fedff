"""What else changed: sizes and p-values recomputed here, wanted changes apart from the others."""

import dataclasses
from statistics import fmean, stdev

import pytest

from prefsweep.changes import Change, changes, changes_text, unasked
from prefsweep.changes_section import changes_section
from prefsweep.comparison import Comparison, compare
from prefsweep.metrics import ANSWER_METRICS
from prefsweep.point_table import point_rows
from prefsweep.results import StudyResults, read_study
from prefsweep.statistics import holm
from tests.example_study import Shape, build_study

DPO, CPO = "dpo-00000000", "cpo-00000000"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return read_study(
        build_study(tmp_path_factory.mktemp("study"), Shape(methods=("dpo", "cpo"), seeds=(0, 1, 2, 3, 4)))
    )


@pytest.fixture(scope="module")
def comparison(study: StudyResults) -> Comparison:
    return compare(study.plan, {run.run.id: run.scores for run in study.runs if run.scores}, [], {})


def _of(found: list[Change], point: str, metric: str) -> Change:
    return next(change for change in found if (change.point, change.metric.name) == (point, metric))


def test_a_change_is_measured_by_how_the_bases_answers_differ(study: StudyResults, comparison: Comparison) -> None:
    change = _of(changes(study, comparison), CPO, "emoji")

    def counts(point: str) -> list[float]:
        test = {prompt.id for prompt in study.prompts if prompt.half == "test"}
        rows = [row for run in study.of_point(point) for row in run.prompt_scores.items()]
        return [metrics["emoji"] for prompt, metrics in rows if prompt in test]

    moved = fmean(counts(CPO)) - fmean(counts("base-00000000"))
    assert change.difference.estimate == pytest.approx(moved)
    assert change.in_deviations == pytest.approx(moved / stdev(counts("base-00000000")))
    assert change.moved


def test_holm_is_over_every_point_and_metric(study: StudyResults, comparison: Comparison) -> None:
    found = changes(study, comparison)
    assert len(found) == len({(change.point, change.metric.name) for change in found})
    assert {change.point for change in found} == {DPO, CPO}
    assert {change.metric.name for change in found} <= set(ANSWER_METRICS)
    assert [change.p_adjusted for change in found] == pytest.approx(holm([c.difference.p_value for c in found]))
    assert any(change.p_adjusted > change.difference.p_value for change in found)


def test_the_largest_comes_first(study: StudyResults, comparison: Comparison) -> None:
    sizes = [abs(c.in_deviations) for c in changes(study, comparison) if c.in_deviations is not None]
    assert sizes == sorted(sizes, reverse=True)


def test_the_primary_metric_has_its_verdict_elsewhere(study: StudyResults) -> None:
    plan = study.plan.model_copy(update={"primary_metric": "repetition"})
    comparison = compare(plan, {run.run.id: run.scores for run in study.runs if run.scores}, [], {})
    assert "repetition" not in {change.metric.name for change in changes(study, comparison)}


@pytest.mark.parametrize(
    ("update", "moved"),
    [
        ({"in_deviations": 0.21, "p_adjusted": 0.04}, True),
        ({"in_deviations": -0.21, "p_adjusted": 0.04}, True),
        ({"in_deviations": 0.19, "p_adjusted": 0.04}, False),
        ({"in_deviations": 0.21, "p_adjusted": 0.06}, False),
        ({"in_deviations": None, "p_adjusted": 0.04}, True),
    ],
)
def test_a_change_must_be_more_than_chance_and_more_than_little(
    study: StudyResults, comparison: Comparison, update: dict[str, float | None], moved: bool
) -> None:
    assert changes(study, comparison)[0].model_copy(update=update).moved is moved


def test_a_direction_says_what_a_change_is_worth(study: StudyResults, comparison: Comparison) -> None:
    found = changes(study, comparison)
    assert _of(found, CPO, "repetition").judgement == "worse"
    assert _of(found, CPO, "emoji").judgement == ""


def test_what_was_wanted_is_not_unasked_for(study: StudyResults, comparison: Comparison) -> None:
    asking = dataclasses.replace(study, plan=study.plan.model_copy(update={"wants": ["emoji"]}))
    before, after = unasked(changes(study, comparison)), unasked(changes(asking, comparison))
    assert {c.metric.name for c in before} - {c.metric.name for c in after} == {"emoji"}
    tables = {table["caption"]: table["rows"] for table in changes_section(asking, comparison)["tables"]}
    assert len(tables["Asked for"]) == 2
    assert len(tables["Nobody asked for"]) == len(after)
    assert "Asked for: emoji." in changes_section(asking, comparison)["lead"]


def test_the_table_of_points_names_them(study: StudyResults, comparison: Comparison) -> None:
    cells = {row["point"]: row["unasked_changes"] for row in point_rows(study, comparison)}
    own = [change for change in unasked(changes(study, comparison)) if change.point == CPO]
    assert cells[CPO] == changes_text(own) != ""
    assert cells["base-00000000"] == ""


def test_without_a_base_there_is_no_section(study: StudyResults, comparison: Comparison) -> None:
    points = [point for point in comparison.points if point.point != "base-00000000"]
    without = comparison.model_copy(update={"points": points})
    section = changes_section(study, without)
    assert (section["lead"], section["tables"]) == ("", [])
