"""The tables: complete, documented, deterministic, and inert in a spreadsheet."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from compare import compared
from prefsweep.comparison import Comparison
from prefsweep.lesson_tables import hyperparameters_table, tries_table
from prefsweep.point_table import comparison_table
from prefsweep.report_tables import write_tables
from prefsweep.results import StudyResults, read_study
from prefsweep.run_table import runs_table
from prefsweep.spreadsheet import csv_text, spreadsheet_safe
from prefsweep.tax_table import tasks_table
from tests.example_study import Shape, build_study

SHAPE = Shape(methods=("dpo", "simpo", "kto"), heldout=12, showcase=2, steps=5, failed=("kto",))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return read_study(build_study(tmp_path_factory.mktemp("study"), SHAPE))


@pytest.fixture(scope="module")
def comparison(study: StudyResults) -> Comparison:
    return compared(study)


def _read(frame: pd.DataFrame) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(frame), newline="")))


def test_one_row_per_run_with_numbers_as_numbers(study: StudyResults, comparison: Comparison) -> None:
    rows = _read(runs_table(study, comparison))
    assert [row["run"] for row in rows] == [run.run.id for run in study.runs]
    dpo = rows[1]
    assert dpo["steps"] == "5"
    assert float(dpo["learning_rate"]) == 2e-4
    assert float(dpo["output_tokens_per_second"]) == float(dpo["output_tokens_per_second_at_8"])
    assert dpo["micro_batch_size"] == dpo["lambda" if "lambda" in dpo else "gamma_beta_ratio"] == ""
    assert int(dpo["peak_memory_bytes"]) == 3_100_000_000


def test_a_failed_run_is_a_row_with_its_class(study: StudyResults, comparison: Comparison) -> None:
    kto = _read(runs_table(study, comparison))[-1]
    assert (kto["status"], kto["failure_stage"], kto["failure_class"]) == ("failed", "train", "nan")
    assert kto["train_seconds"] == kto["words_test_mean"] == ""
    point = _read(comparison_table(study, comparison))[-1]
    assert point["verdict"] == "failed"
    assert point["estimate"] == ""
    assert "not finite" in point["failures"]


def test_one_row_per_point_agrees_with_the_comparison(study: StudyResults, comparison: Comparison) -> None:
    rows = _read(comparison_table(study, comparison))
    assert [row["point"] for row in rows] == [point.id for point in study.plan.points]
    difference = comparison.points[1].metrics["preference_accuracy"].difference
    assert difference is not None
    assert float(rows[1]["difference_to_base"]) == difference.estimate
    assert rows[0]["difference_to_base"] == ""


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\r\n=1", "＝1", "=cmd|' /C calc'!A0"]
)
def test_text_never_starts_a_formula(text: str) -> None:
    frame = pd.DataFrame([{text: "a", "b": text, "c": f"x\r{text}"}], dtype=object)
    header, row = list(csv.reader(io.StringIO(csv_text(frame), newline="")))
    for cell in (header[0], row[1]):
        assert cell.startswith("'")
    assert row[2].startswith("x\n")


@pytest.mark.parametrize("number", [-2.5, 0, -1, 1e-9, True, None])
def test_numbers_are_never_touched(number: float | None) -> None:
    assert spreadsheet_safe(number) is number


def test_hostile_labels_and_messages_stay_text(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo",), heldout=4, failed=("dpo",), text=lambda text: f"=HYPERLINK({text})")
    study = read_study(build_study(tmp_path, shape))
    comparison = compared(study)
    for frame in (runs_table(study, comparison), comparison_table(study, comparison)):
        rows = list(csv.reader(io.StringIO(csv_text(frame), newline="")))
        numbers = re.compile(r"-?[\d.]+(e[-+]?\d+)?")
        assert any(cell.startswith("'=") for row in rows for cell in row)
        for cell in (cell for row in rows for cell in row):
            assert not re.match(r"[=+@\t\r\n-]", cell) or numbers.fullmatch(cell)


def test_not_a_number_and_infinities_are_empty(study: StudyResults, comparison: Comparison) -> None:
    point = comparison.points[1]
    metric = point.metrics["preference_accuracy"]
    broken = metric.model_copy(
        update={"mean": metric.mean.model_copy(update={"low": float("nan"), "high": float("inf")})}
    )
    changed = point.model_copy(update={"metrics": point.metrics | {"preference_accuracy": broken}})
    row = _read(comparison_table(study, comparison.model_copy(update={"points": [changed]})))[0]
    assert row["estimate"] != ""
    assert row["estimate_low"] == row["estimate_high"] == ""


def test_samples_hold_every_answer_untouched(tmp_path: Path) -> None:
    text = "=1+1 \u202e \x1b[31m </script>"
    folder = build_study(tmp_path, Shape(methods=("dpo",), heldout=4, showcase=1, text=lambda _: text))
    study = read_study(folder)
    write_tables(study, compared(study), tmp_path / "report")
    lines = (tmp_path / "report" / "samples.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 2 * 5
    assert {row["chosen"] for row in rows if row["part"] == "heldout"} == {text}
    assert all(row["answer"].startswith(text) for row in rows)
    assert [row["run"] for row in rows] == [run.run.id for run in study.runs for _ in range(5)]
    assert all(row["metrics"] == study.runs[i // 5].prompt_scores[row["prompt"]] for i, row in enumerate(rows))


def test_same_input_same_bytes(study: StudyResults, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_tables(study, compared(study), tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


def _documented(heading: str, study: StudyResults, comparison: Comparison) -> list[str]:
    """The column list of docs/results.md with its placeholders filled for this study."""
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    section = next(part for part in text.split("\n## ") if part.startswith(f"`{heading}`"))
    return re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)


def _pattern(column: str) -> re.Pattern[str]:
    escaped = re.escape(column)
    for placeholder, values in (("concurrency", r"\d+"), ("metric", "[a-z_]+"), ("setting", "[a-z_]+")):
        escaped = escaped.replace(f"<{placeholder}>", values)
    return re.compile(escaped.replace("<task>", "[a-z-]+").replace("<value>", r"[\w,]+"))


def test_every_column_of_the_tasks_is_documented_in_order(study: StudyResults, comparison: Comparison) -> None:
    rows = _read(tasks_table(comparison))
    assert list(rows[0]) == _documented("tasks.csv", study, comparison)


@pytest.mark.parametrize("table", [hyperparameters_table, tries_table])
def test_lessons_are_documented_column_by_column(
    table: Callable[[Comparison], pd.DataFrame], study: StudyResults, comparison: Comparison
) -> None:
    heading = table.__name__.replace("_table", ".csv")
    assert [*table(comparison).columns] == _documented(heading, study, comparison)


@pytest.mark.parametrize("heading", ["runs.csv", "comparison.csv"])
def test_every_column_is_documented_in_order(heading: str, study: StudyResults, comparison: Comparison) -> None:
    table = runs_table if heading == "runs.csv" else comparison_table
    columns = list(table(study, comparison).columns)
    documented = _documented(heading, study, comparison)
    exact = [name for name in documented if "<" not in name]
    assert [column for column in columns if column in exact] == exact
    patterns = [_pattern(name) for name in documented if "<" in name]
    for column in (column for column in columns if column not in exact):
        assert any(pattern.fullmatch(column) for pattern in patterns), column
    for name in (name for name in documented if "<" in name):
        assert any(_pattern(name).fullmatch(column) for column in columns), name
