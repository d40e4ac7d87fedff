"""Every section is there, charts come alive, points are sorted, links lead somewhere, same study same bytes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import PAGES, write_report
from tests.browser.report import Report

NUMBERS = ("difference", "training")


@pytest.mark.parametrize("name", PAGES)
def test_the_navigation_leads_to_every_section_and_each_is_shown(opened: Callable[..., Report], name: str) -> None:
    report = opened(name)
    assert report.listed_sections() == report.sections()
    for section in report.sections():
        report.page.locator(f"nav.sections a[href='#{section}']").click()
        found = report.page.locator(f"#{section}")
        heading = found.locator("h2").first
        assert heading.is_visible()
        assert found.evaluate("node => node.innerText.length") > len(heading.inner_text())
        assert 0 <= heading.evaluate("node => node.getBoundingClientRect().y") < 900, f"#{section} is not in view"


@pytest.mark.parametrize("name", ["ordinary", "failed"])
def test_every_chart_comes_alive_without_a_complaint(opened: Callable[..., Report], name: str) -> None:
    report = opened(name)
    charts = list(report.charts())
    assert len(charts) > 10
    for chart in charts:
        still, live = chart.locator(":scope > svg").count(), chart.locator(".live svg")
        assert still == 0, "the still picture stands beside the live one"
        assert live.locator("path, line, rect").count() > 2


def test_a_chart_tells_what_is_pointed_at(opened: Callable[..., Report]) -> None:
    report = opened("ordinary")
    chart = next(report.charts())
    chart.locator(".live .mark-symbol path").last.hover()
    tooltip = report.page.locator(".vg-tooltip.visible")
    tooltip.wait_for()
    assert "95 % interval" in tooltip.inner_text()
    report.page.mouse.move(0, 0)
    tooltip.wait_for(state="hidden")


@pytest.mark.parametrize("press", ["mouse", "Enter", "Space"])
@pytest.mark.parametrize("heading", NUMBERS)
def test_points_are_sorted_by_a_column(opened: Callable[..., Report], heading: str, press: str) -> None:
    report = opened("failed")
    button = report.column_button(heading)
    for expected in ("descending", "ascending", "descending"):
        if press == "mouse":
            button.click()
        else:
            button.press(press)
        assert report.order(heading) == expected
        column = report.column(heading)
        known = [float(value) for value in column if value]
        assert column[len(known) :] == [""] * (len(column) - len(known)), "points without a value come last"
        assert known == sorted(known, reverse=expected == "descending")
        assert len(set(known)) > 2
    assert [report.order(other) for other in NUMBERS if other != heading] == [None]


@pytest.mark.parametrize("name", ["ordinary", "failed", "nothing-finished"])
def test_links_lead_to_what_exists(opened: Callable[..., Report], written: Callable[[str], Path], name: str) -> None:
    report = opened(name)
    links = report.page.eval_on_selector_all("a[href]", "nodes => nodes.map(node => node.getAttribute('href'))")
    within = {link[1:] for link in links if link.startswith("#")}
    beside = {link for link in links if not link.startswith(("#", "../runs/"))}
    assert "comparison.csv" in beside
    missing = [link for link in beside if not (written(name).parent / link).exists()]
    missing += [link for link in within if report.page.locator(f"[id='{link}']").count() != 1]
    assert not missing


def test_the_same_study_gives_the_same_bytes(written: Callable[[str], Path]) -> None:
    page = written("ordinary")
    again = write_report(page.parents[1], "again", PYTHONHASHSEED="1")
    assert again.read_bytes() == page.read_bytes()
