"""Who reads it, and on what: axe's rules in light and dark, a phone, a wide screen, a keyboard, paper."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import PAGES
from tests.browser.paper import Sheet, sheets
from tests.browser.report import Report
from tests.debian import NotInstallable

PHONE, SCREEN, PAPER = 390, 1440, 718
"""CSS pixels; paper is A4 less margins of 10 mm."""
MARGIN = 10 / 25.4 * 72
"""Points; what stands in it is cut off."""
_REMOVE = "nodes => nodes.forEach(node => node.remove())"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["ordinary", "failed", "nothing-finished"])
def test_axe_finds_nothing(opened: Callable[..., Report], name: str, scheme: str) -> None:
    report = opened(name, scheme=scheme)
    list(report.charts())
    report.open_details()
    assert report.violations() == []


def test_axe_finds_nothing_on_a_phone(opened: Callable[..., Report]) -> None:
    report = opened("failed", width=PHONE, height=844)
    list(report.charts())
    assert report.violations() == []


@pytest.mark.parametrize("width", [PHONE, SCREEN])
@pytest.mark.parametrize("name", PAGES)
def test_the_page_never_scrolls_sideways(opened: Callable[..., Report], name: str, width: int) -> None:
    report = opened(name, width=width)
    list(report.charts())
    report.open_details()
    assert report.too_wide() == []


def test_a_keyboard_reaches_the_answer_first(opened: Callable[..., Report]) -> None:
    report = opened("one-seed")
    report.page.keyboard.press("Tab")
    focused = report.page.locator(":focus")
    assert focused.inner_text() == "Skip to the answer"
    assert focused.evaluate("node => node.getBoundingClientRect().x") >= 0
    report.page.keyboard.press("Enter")
    assert report.page.url.endswith("#answer")


@pytest.mark.parametrize("name", ["ordinary", "failed", "nothing-finished", "hostile"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_shows_whole_sections(opened: Callable[..., Report], name: str, scheme: str) -> None:
    report = opened(name, scheme=scheme)
    list(report.charts())
    report.page.emulate_media(media="print", color_scheme=scheme)
    report.page.set_viewport_size({"width": PAPER, "height": 1000})
    assert report.too_wide() == []
    assert report.cut_off() == []
    assert not report.page.locator("nav.sections").is_visible()
    assert all(report.page.locator(f"#{section}").is_visible() for section in report.sections())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_is_read_in_black_on_white(opened: Callable[..., Report], scheme: str) -> None:
    report = opened("failed", scheme=scheme)
    report.page.emulate_media(media="print", color_scheme=scheme)
    assert report.violations() == []


def test_paper_says_what_is_folded(opened: Callable[..., Report]) -> None:
    report = opened("failed")
    report.page.emulate_media(media="print")
    said = "node => getComputedStyle(node.querySelector('summary'), '::after').content"
    for details in report.page.locator("main details").all():
        folded = details.get_attribute("open") is None
        assert ("folded" in details.evaluate(said)) == folded


def printed_sheets(report: Report, folder: Path) -> list[Sheet]:
    """The page on paper; the test is skipped where what reads a PDF can be installed by root alone, and this is not."""
    try:
        return sheets(report.printed(folder / "page.pdf"))
    except NotInstallable as reason:
        pytest.skip(f"no PDF can be read here: {reason}")


@pytest.mark.parametrize("name", ["ordinary", "failed", "nothing-finished"])
def test_a_pdf_has_every_word_of_the_table_whole_and_on_the_paper(
    opened: Callable[..., Report], tmp_path: Path, name: str
) -> None:
    report = opened(name)
    pages = printed_sheets(report, tmp_path)
    assert len(pages) > 2
    assert [page.beyond(MARGIN - 0.5) for page in pages] == [[]] * len(pages)
    printed = {word.text for page in pages for word in page.words}
    table = report.page.locator("table.board").inner_text().split()
    assert len(table) > 20
    assert set(table) - printed == set()


def test_a_long_table_has_its_headings_on_every_page_of_a_pdf(opened: Callable[..., Report], tmp_path: Path) -> None:
    report = opened("ordinary")
    for button in report.page.locator("table.board [data-runs] button").all():
        button.click()
    report.page.eval_on_selector_all("body > :not(main), main > :not(#points), .reasons", _REMOVE)
    pages = printed_sheets(report, tmp_path)
    headings = [{"verdict", "tokens/s", "training"} - {word.text for word in page.words} for page in pages]
    assert len(pages) > 1
    assert headings == [set()] * len(pages)
