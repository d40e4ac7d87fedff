"""The figures as files: every one that the page draws, titled, the same bytes each time, none of an earlier report."""

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from compare import compared
from prefsweep.page import write_page
from prefsweep.results import read_study
from tests.example_study import Shape, build_study

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _report(tmp_path_factory.mktemp("report"))


def _report(folder: Path) -> Path:
    study = read_study(build_study(folder, Shape(methods=("dpo", "kto"), heldout=6, showcase=1, steps=4)))
    (folder / "figures").mkdir()
    (folder / "figures" / "of-an-earlier-report.svg").write_text("<svg/>")
    write_page(study, compared(study), folder / "index.html")
    return folder


def test_every_figure_of_the_page_is_there_in_both_forms_and_no_other(report: Path) -> None:
    page = (report / "index.html").read_text()
    drawn = {part.partition('"')[0] for part in page.split('id="spec-')[1:]}
    assert {"metric-preference_accuracy", "training-loss-dpo", "tradeoff-train_seconds"} < drawn
    files = {path.name for path in (report / "figures").iterdir()}
    assert files == {f"{name}.{form}" for name in drawn for form in ("svg", "png")}


def test_a_figure_alone_says_what_it_shows(report: Path) -> None:
    told = {path.stem: "".join(ET.parse(path).getroot().itertext()) for path in (report / "figures").glob("*.svg")}
    assert "dpo while training, loss" in told["training-loss-dpo"]
    assert "preference accuracy against training seconds" in told["tradeoff-train_seconds"]
    assert "share, higher is better" in told["metric-preference_accuracy"]
    assert all(path.read_bytes().startswith(PNG) for path in (report / "figures").glob("*.png"))


def test_the_same_study_gives_the_same_bytes(report: Path, tmp_path: Path) -> None:
    again = _report(tmp_path)
    for path in (report / "figures").iterdir():
        assert path.read_bytes() == (again / "figures" / path.name).read_bytes(), path.name


def test_a_partial_report_has_none_and_leaves_none_of_an_earlier_one(tmp_path: Path) -> None:
    folder = _report(tmp_path)
    study = read_study(folder / "example")
    write_page(study, compared(study), folder / "index.html", partial=True)
    assert not (folder / "figures").exists()
    assert 'href="figures/"' not in (folder / "index.html").read_text()
