"""A page of 1,001 runs answers its reader at once, and its points are sorted and found. Figures: `make bench-page`."""

from collections.abc import Callable
from pathlib import Path

from tests.browser.report import Report

STUDY = "thousand-runs"
POINTS = 200
LONGEST_SECONDS = 3.0
MOST_BYTES = 15_000_000


def test_a_thousand_runs_are_sorted_within_three_seconds_of_opening(
    opened: Callable[..., Report], written: Callable[[str], Path]
) -> None:
    assert written(STUDY).stat().st_size <= MOST_BYTES
    found = []
    while not found or (min(found) > LONGEST_SECONDS and len(found) < 3):  # something else may be using the processor
        report = opened(STUDY, until="commit")
        found.append(report.seconds_until_sorted("difference"))
        assert report.order("difference") == "descending"
    assert min(found) <= LONGEST_SECONDS, found


def test_every_point_of_a_thousand_runs_is_sorted_and_found(opened: Callable[..., Report]) -> None:
    report = opened(STUDY)
    assert len(report.column("difference")) < POINTS, "it begins with the best of each method"
    report.show_every_point()
    report.column_button("difference").click()
    *values, base = report.column("difference")
    assert (len(values), base) == (POINTS, "")
    assert values == sorted(values, key=float, reverse=True)
    find = report.page.get_by_role("searchbox", name="Find")
    find.fill("dpo beta=0.3 lr=0.0016")
    names = report.page.locator("table.board tbody th[data-value]:visible")
    assert names.evaluate_all("nodes => nodes.map(node => node.dataset.value)") == ["dpo beta=0.3 lr=0.0016", "base"]
    report.page.locator("table.board tr[id^=point-dpo]:visible [data-runs] button").click()
    assert report.page.locator("table.board tr.run:visible").count() == 5


def test_long_tables_scroll_below_their_headings(opened: Callable[..., Report]) -> None:
    report = opened(STUDY)
    tables = report.page.locator("main .tall:visible")
    assert tables.count() > 4
    for table in tables.all():
        shown, whole = table.evaluate("node => [node.clientHeight, node.scrollHeight]")
        assert shown <= 576 < whole
        table.evaluate("node => { node.scrollTop = node.scrollHeight; }")
        top, first_row = table.evaluate(
            "node => [node, node.querySelector('tbody tr')].map(one => one.getBoundingClientRect().y)"
        )
        heads = table.locator("thead th").evaluate_all("nodes => nodes.map(node => node.getBoundingClientRect().y)")
        assert first_row < top
        assert all(y >= top for y in heads), "a heading has scrolled away"
