"""The page that puts several studies side by side leads to theirs, and is read as they are."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import ROOT
from tests.browser.report import Report

STUDIES = ("ordinary", "failed")


@pytest.fixture(scope="module")
def overview(written: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies under their own names in one folder, and the page beside them."""
    family = tmp_path_factory.mktemp("family")
    for name in STUDIES:
        (family / name).symlink_to(written(name).parents[1])
    command = [sys.executable, ROOT / "scripts" / "overview.py", "--study-directories", *map(family.joinpath, STUDIES)]
    subprocess.run([*command, "--output", family / "report"], check=True)
    return family / "report" / "index.html"


def test_it_leads_to_each_study_and_draws_each_methods_best_point(
    opened: Callable[..., Report], overview: Path
) -> None:
    report = opened(overview)
    hrefs = report.page.eval_on_selector_all("main a", "nodes => nodes.map(node => node.getAttribute('href'))")
    assert set(hrefs) == {f"../{name}/report/index.html" for name in STUDIES}
    assert all((overview.parent / href).is_file() for href in hrefs)
    rows = report.page.locator("section[aria-labelledby=methods-title] tbody tr")
    assert [row.locator("svg[role=img]").count() for row in rows.all()] == [5, 3]
    failed = rows.last.locator("td", has_text="failed")
    assert failed.count() == 2
    assert failed.first.locator("svg[role=img]").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_it_is_accessible_and_fits(opened: Callable[..., Report], overview: Path, width: int, scheme: str) -> None:
    report = opened(overview, width=width, scheme=scheme)
    assert report.violations() == []
    assert report.too_wide() == []
