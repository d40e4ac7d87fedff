"""Several studies side by side: every row of theirs, a page that leads to them, nothing that runs."""

from pathlib import Path

import pandas as pd
import pytest

from compare import compared
from prefsweep.asked import overview_folder
from prefsweep.overview import Compared, overview_table, render_overview, write_overview
from prefsweep.plan import Plan
from prefsweep.report_tables import write_tables
from prefsweep.results import read_study
from tests.example_study import Shape, build_study

SHAPES = {
    "a-on-x": Shape(methods=("dpo", "simpo"), heldout=12, showcase=2, steps=5),
    "a-on-y": Shape(methods=("dpo", "kto"), heldout=12, showcase=2, steps=5, failed=("kto",)),
}
HOSTILE = "=1+<img src=x onerror=alert(1)>\u202e"


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two studies of one file; the second's data set has a hostile name."""
    family, found = tmp_path_factory.mktemp("family"), []
    for name, shape in SHAPES.items():
        directory = build_study(family / "made", shape).rename(family / name)
        plan = Plan.read(directory / "plan.json")
        data = plan.data.model_copy(update={"name": HOSTILE if name == "a-on-y" else "x"})
        plan.model_copy(update={"study": f"both/{name}", "data": data}).write(directory / "plan.json")
        study = read_study(directory)
        write_tables(study, compared(study), directory / "report")
        found.append(directory)
    return found


def test_the_table_holds_every_row_with_its_model_and_data(directories: list[Path]) -> None:
    studies = [Compared.read(directory) for directory in directories]
    table = overview_table(studies)
    assert list(table.columns[:3]) == ["model", "data", "point"]
    assert table["point"].tolist() == [point for study in studies for point in study.points["point"]]
    assert table["data"].tolist() == ["x"] * 3 + [HOSTILE] * 3


def test_the_page_leads_to_each_study_and_draws_each_methods_best_point(directories: list[Path]) -> None:
    page = render_overview([Compared.read(directory) for directory in directories])
    assert all(f'href="../{name}/report/index.html"' in page for name in SHAPES)
    assert page.count('role="img"') == 3
    assert page.count("not in this study") == 2
    assert "is-failed" in page
    assert (">3 of 3<" in page, ">2 of 3<" in page) == (True, True)
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page


def test_the_same_tables_give_the_same_bytes(directories: list[Path], tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_overview(directories, tmp_path / folder)
    for name in ("index.html", "overview.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    names = pd.read_csv(tmp_path / "one" / "overview.csv")["data"]
    assert names.tolist() == ["x"] * 3 + [f"'{HOSTILE}"] * 3


def test_a_study_that_was_never_compared_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"comparison\.csv"):
        Compared.read(tmp_path)


def test_one_study_has_no_overview(tmp_path: Path) -> None:
    assert overview_folder([tmp_path / "s"]) is None
    assert overview_folder([tmp_path / "s" / "a-on-x", tmp_path / "s" / "a-on-y"]) == tmp_path / "s" / "report"
