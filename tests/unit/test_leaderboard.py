"""The leaderboard: best first, each point with its runs, nothing missing turned into a number."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compare import compared
from prefsweep.comparison import Comparison
from prefsweep.leaderboard import MOST_POINTS_AT_ONCE, board
from prefsweep.point_table import point_rows
from prefsweep.results import StudyResults, read_study
from tests.example_study import Shape, build_study

SHAPE = Shape(methods=("dpo", "simpo", "kto"), seeds=(3, 5), heldout=12, showcase=1, steps=4, failed=("kto",))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return read_study(build_study(tmp_path_factory.mktemp("study"), SHAPE))


def _board(study: StudyResults, comparison: Comparison) -> dict[str, Any]:
    return board(study, comparison, {str(row["point"]): row for row in point_rows(study, comparison)})


def test_a_points_runs_are_its_seeds_on_the_same_prompts(study: StudyResults) -> None:
    comparison = compared(study)
    row = next(row for row in _board(study, comparison)["rows"] if row["method"] == "dpo")
    assert [run["seed"] for run in row["runs"]] == [3, 5]
    assert [run["id"] for run in row["runs"]] == [f"{row['point']}-seed-3", f"{row['point']}-seed-5"]
    means = [float(run["estimate"].value) for run in row["runs"]]
    assert sum(means) / 2 == pytest.approx(float(row["estimate"].value))
    differences = [float(run["difference"].value) for run in row["runs"]]
    assert sum(differences) / 2 == pytest.approx(float(row["difference"].value))
    assert [len(run["cells"]) for run in row["runs"]] == [len(row["cells"])] * 2
    speeds = [float(run["cells"][3].value) for run in row["runs"]]
    assert sum(speeds) / 2 == pytest.approx(float(row["cells"][3].value))


def test_failed_runs_are_rows_without_numbers(study: StudyResults) -> None:
    rows = _board(study, compared(study))["rows"]
    assert rows[0]["base"]
    assert rows[-1]["method"] == "kto"
    assert [(run["status"], run["why"], run["middle"]) for run in rows[-1]["runs"]] == [("failed", "nan", None)] * 2
    assert {cell.text for run in rows[-1]["runs"] for cell in run["cells"]} == {"n/a", ""}


def test_a_unit_of_words_stands_in_the_caption_and_not_in_every_cell(study: StudyResults) -> None:
    shares = _board(study, compared(study))
    assert (shares["unit"], shares["rows"][0]["estimate"].text[-2:]) == ("", " %")
    plan = study.plan.model_copy(update={"primary_metric": "preference_margin_normalised"})
    comparison = compared(replace(study, plan=plan))
    found = _board(study, comparison)
    assert found["unit"] == ", nats per character"
    told = [row for row in found["rows"] if row["interval"]]
    assert told
    for row in told:
        texts = [row["estimate"].text, row["difference"].text, row["interval"], found["axis_low"]]
        texts += [run["difference"].text for run in row["runs"]]
        assert not any("nats" in text for text in texts)
    reason = next(point.reason for point in comparison.points if point.method == "dpo")
    assert reason.count("nats per character") <= 2, "of the difference and the smallest effect, not of each end"


def test_of_many_points_the_best_of_each_method_come_first(tmp_path: Path) -> None:
    variants = MOST_POINTS_AT_ONCE // 2 + 1
    shape = Shape(methods=("dpo", "simpo"), variants=variants, heldout=6, showcase=1, steps=2)
    study = read_study(build_study(tmp_path, shape))
    comparison = compared(study)
    found = _board(study, comparison)
    assert found["many"]
    assert found["points"] == 2 * variants
    shown = [row["point"] for row in found["rows"] if row["shown_first"]]
    best = [point.point for point in comparison.points if point.best_of_method]
    assert sorted(shown) == sorted(best)
    assert {comparison.points[0].point, comparison.recommended} <= set(best)
