"""The table of points: runs unfold, filters and links hold, and what is picked in a chart is picked everywhere."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.report import Report

LINKED = "[data-linked] .chart"


def _rows(report: Report) -> Locator:
    """Points that are shown, the base among them."""
    return report.page.locator("table.board tr[id^=point-]:visible")


def _runs(report: Report) -> Locator:
    return report.page.locator("table.board tr.run:visible")


def _picked(report: Report) -> list[str]:
    found: list[str] = report.page.eval_on_selector_all(
        "table.board [data-picked] tr[id^=point-]", "rows => rows.map(row => row.id)"
    )
    return sorted(found)


def _linked_charts(report: Report) -> list[Locator]:
    charts = report.page.locator(LINKED).all()
    for chart in charts:
        chart.scroll_into_view_if_needed()
        chart.locator(".live svg").wait_for()
    return charts


def _drag(report: Report, chart: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place of a chart to another, both as shares of its width and height."""
    chart.evaluate("node => node.scrollIntoView({ block: 'center' })")
    report.page.wait_for_timeout(500)  # charts that come alive above may move it
    box = chart.bounding_box()
    assert box
    (x, y), (to_x, to_y) = (
        (box["x"] + box["width"] * across, box["y"] + box["height"] * down) for across, down in (start, end)
    )
    report.page.mouse.move(x, y)
    report.page.mouse.down()
    report.page.mouse.move(to_x, to_y, steps=8)
    report.page.mouse.up()


def test_the_table_fits_a_laptop_and_says_once_why_speeds_are_not_compared(opened: Callable[..., Report]) -> None:
    report = opened("ordinary", width=1280)
    table = report.page.locator(".scroll:has(> table.board)")
    assert table.evaluate("node => node.scrollWidth - node.clientWidth") == 0
    assert all(text.endswith(" †") for text in _rows(report).locator("td:nth-child(10)").all_inner_texts())
    assert report.page.locator("#points").inner_text().count("Measurement error") == 1


@pytest.mark.parametrize("press", ["mouse", "Enter", "Space"])
def test_a_points_runs_unfold(opened: Callable[..., Report], press: str) -> None:
    report = opened("ordinary")
    assert _runs(report).count() == 0
    button = _rows(report).nth(1).locator("[data-runs] button")
    for expanded, count in (("true", 3), ("false", 0)):
        if press == "mouse":
            button.click()
        else:
            button.press(press)
        assert button.get_attribute("aria-expanded") == expanded
        assert _runs(report).count() == count


def test_a_filtered_and_sorted_view_is_kept_in_the_address(opened: Callable[..., Report]) -> None:
    report = opened("ordinary")
    every = _rows(report).count()
    report.column_button("training").click()
    report.page.get_by_role("checkbox", name="dpo", exact=True).uncheck()
    report.page.get_by_role("searchbox", name="Find").fill("0.0004")
    shown = _rows(report).all_inner_texts()
    assert 2 < len(shown) < every
    assert not any(text.startswith("dpo") for text in shown)
    report.page.reload()
    assert _rows(report).all_inner_texts() == shown
    assert report.order("training") == "descending"
    report.page.get_by_role("button", name="Reset").click()
    assert _rows(report).count() == every
    assert report.order("training") is None


def test_a_link_to_a_run_opens_it_whatever_is_filtered(opened: Callable[..., Report]) -> None:
    report = opened("ordinary")
    report.page.get_by_role("checkbox", name="kto", exact=True).uncheck()
    run = report.page.locator("tr.run[id^=run-kto]").last
    name = run.get_attribute("id")
    assert not run.is_visible()
    report.page.evaluate("name => { location.hash = name; }", name)
    expect(run).to_be_in_viewport()
    assert run.evaluate("row => row.contains(document.activeElement)")
    run.get_by_role("link", name="record").click()
    expect(report.page.locator(f"details[id='{str(name).replace('run-', 'record-')}'] table")).to_be_visible()


def test_what_is_dragged_over_in_a_chart_stands_out_everywhere(opened: Callable[..., Report]) -> None:
    report = opened("ordinary")
    first, second, *_ = _linked_charts(report)
    _drag(report, first, (0.3, 0.1), (0.7, 0.8))
    expect(report.page.locator("[data-picks] output")).to_contain_text("Picked:")
    picked = _picked(report)
    assert 0 < len(picked) < _rows(report).count()
    assert "point-base-00000000" not in picked, "it costs no training, and stands on the left"
    faint = second.locator(".live .mark-symbol path[opacity='0.12']")
    assert faint.count() == _rows(report).count() - len(picked)
    report.page.get_by_role("button", name="Show only these in the table").click()
    assert _rows(report).count() == len(picked) + 1
    _drag(report, second, (0.3, 0.1), (0.36, 0.16))
    assert _rows(report).count() > len(picked) + 1, "another brush shows the table whole again"


def test_a_ticked_row_stands_out_in_every_chart(opened: Callable[..., Report]) -> None:
    report = opened("ordinary")
    charts = _linked_charts(report)
    box = _rows(report).first.locator("[data-pick]")
    box.press("Space")
    assert len(_picked(report)) == 1
    for chart in charts:
        expect(chart.locator(".live .mark-symbol path:not([opacity='0.12'])")).to_have_count(1)
    report.page.get_by_role("button", name="Clear").click()
    assert _picked(report) == []
