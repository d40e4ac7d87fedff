"""Answers are searched, ordered and narrowed down, differences shown and hidden, prompts reached by keys and links."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from tests.browser.report import Report

STUDY = "ordinary"
_PAINTED = "() => [...(CSS.highlights.get('found') ?? [])].map(range => range.toString())"

_PAINTED_IN_GONE = """() => [...(CSS.highlights.get("found") ?? [])]
  .filter(range => range.startContainer.parentElement.closest("del")).length"""


def prompts(report: Report) -> list[str]:
    """The ids of the prompts that are not narrowed away, in the order shown."""
    found: list[str] = report.page.eval_on_selector_all(
        "#answers .prompt", "nodes => nodes.filter(node => !node.hidden).map(node => node.id)"
    )
    return found


def cards(report: Report, prompt: str) -> Locator:
    return report.page.locator(f"#{prompt} [data-arm]:not([hidden])")


def focused(report: Report) -> str:
    return str(report.page.evaluate("() => document.activeElement.closest('.prompt')?.id ?? ''"))


def choose(report: Report, label: str, value: str) -> None:
    report.page.locator("#answers").get_by_label(label).select_option(value)


def search(report: Report, text: str, count: str) -> None:
    report.page.locator("#answers").get_by_label("Search").fill(text)
    report.page.locator("#answers output", has_text=count).wait_for()


def test_the_base_and_each_methods_best_are_shown_first_and_others_on_demand(opened: Callable[..., Report]) -> None:
    report = opened(STUDY)
    shown = cards(report, "prompt-s0000")
    assert shown.count() == 6
    assert shown.first.locator("h4").inner_text() == "base"
    boxes = report.page.locator("#answers .arms input")
    assert boxes.count() == 11
    boxes.last.check()
    assert shown.count() == 7
    boxes.first.uncheck()
    assert shown.first.locator("h4").inner_text() != "base"


def test_a_search_finds_prompts_and_answers_whatever_their_case(opened: Callable[..., Report]) -> None:
    report = opened(STUDY)
    search(report, "(CASE 3)", "2 of 68 prompts")
    assert prompts(report) == ["prompt-s0003", "prompt-h0003"]
    assert report.page.locator("#prompt-h0003").is_visible(), "the fold opens"
    assert report.page.evaluate(_PAINTED) == ["(case 3)"] * 2
    search(report, "nothing like it", "0 of 68 prompts")
    search(report, "so sunny and so green", "of 68 prompts")
    for prompt in prompts(report):
        assert "So sunny and so green" in "".join(cards(report, prompt).all_inner_texts())
    search(report, "", "68 prompts")
    assert report.page.evaluate(_PAINTED) == []


def test_what_is_gone_is_not_searched(opened: Callable[..., Report]) -> None:
    report = opened(STUDY)
    for box in report.page.locator("#answers .arms input").all()[:1]:
        box.uncheck()
    gone = report.page.locator("#answers [data-arm]:not([hidden]) del").first
    assert not gone.is_visible()
    search(report, gone.text_content() or "", "68 prompts")
    assert report.page.evaluate(_PAINTED_IN_GONE) == 0


@pytest.mark.parametrize("order", ["changed", "characters", "repeated"])
def test_prompts_are_put_in_order(opened: Callable[..., Report], order: str) -> None:
    report = opened(STUDY)
    before = prompts(report)
    choose(report, "Begin with", order)
    weights = []
    for prompt in prompts(report)[4:]:
        found = cards(report, prompt).evaluate_all(
            "(nodes, order) => nodes.map(node => node.dataset[order]).filter(Boolean)", order
        )
        values = [float(value) for value in found]
        weights.append(sum(values) / len(values) if order == "changed" else max(values))
    assert weights == pytest.approx(sorted(weights, reverse=True))
    assert weights[0] > weights[-1]
    choose(report, "Begin with", "")
    assert prompts(report) == before


def test_only_answers_with_a_sign(opened: Callable[..., Report]) -> None:
    report = opened(STUDY)
    choose(report, "Only where an answer", "truncated")
    found = prompts(report)
    assert 0 < len(found) < 68
    for prompt in found:
        assert "cut off at the token limit" in "".join(cards(report, prompt).all_inner_texts())
    unheard = report.page.locator("#answers [data-sign] option[value=empty]")
    assert unheard.is_disabled()


def test_differences_are_marked_with_what_is_gone_or_not_at_all(opened: Callable[..., Report]) -> None:
    report = opened(STUDY)
    new, gone = (report.page.locator(f"#answers .prompt {tag}").first for tag in ("ins", "del"))
    line = "node => getComputedStyle(node).textDecorationLine"
    assert (new.evaluate(line), gone.is_visible()) == ("underline", False)
    choose(report, "Differences to the base", "gone")
    assert gone.is_visible()
    choose(report, "Differences to the base", "")
    assert (new.evaluate(line), gone.is_visible()) == ("none", False)


def test_keys_go_from_prompt_to_prompt(opened: Callable[..., Report]) -> None:
    report = opened(STUDY)
    keyboard = report.page.keyboard
    keyboard.press("j")
    assert focused(report) == "", "keys belong to the answers alone"
    report.page.get_by_role("button", name="Next prompt").click()
    assert focused(report) == "prompt-s0000"
    for _ in range(4):
        keyboard.press("j")
    assert focused(report) == "prompt-h0000"
    assert report.page.locator("#prompt-h0000").is_visible(), "the fold opens"
    keyboard.press("k")
    assert focused(report) == "prompt-s0003"
    keyboard.press("d")
    assert report.page.locator("#answers").get_by_label("Differences to the base").input_value() == "gone"
    keyboard.press("/")
    keyboard.type("jd/k")
    assert report.page.locator("#answers").get_by_label("Search").input_value() == "jd/k"


def test_enter_goes_from_the_search_to_the_first_that_was_found(opened: Callable[..., Report]) -> None:
    report = opened(STUDY)
    search(report, "(case 40)", "1 of 68 prompts")
    report.page.locator("#answers").get_by_label("Search").press("Enter")
    assert focused(report) == "prompt-h0040"


def test_a_link_leads_to_its_prompt_whatever_was_chosen(
    opened: Callable[..., Report], written: Callable[[str], Path]
) -> None:
    report = opened(STUDY)
    search(report, "(case 3)", "2 of 68 prompts")
    report.page.evaluate("() => { location.hash = '#prompt-h0050'; }")
    report.page.locator("#prompt-h0050:focus").wait_for()
    assert report.page.locator("#answers").get_by_label("Search").input_value() == ""
    report.page.goto(f"{written(STUDY).as_uri()}#prompt-h0061")
    report.page.reload()
    assert report.page.locator("#prompt-h0061").is_visible()
    assert focused(report) == "prompt-h0061"
    permalink = report.page.get_by_role("link", name="Link to prompt 66", exact=True)
    assert permalink.get_attribute("href") == "#prompt-h0061"


def test_long_answers_are_folded_until_asked_for(opened: Callable[..., Report]) -> None:
    report = opened("huge-text")
    report.open_details()
    text = report.page.locator("#answers [data-arm]:not([hidden]) .text.long").first
    button = text.locator("xpath=following-sibling::button")
    folded = text.evaluate("node => node.clientHeight")
    assert (button.get_attribute("aria-expanded"), folded) == ("false", pytest.approx(272, abs=2))
    button.click()
    assert text.evaluate("node => node.clientHeight") > 2 * folded
    assert button.get_attribute("aria-expanded") == "true"
    assert button.inner_text() == "Show less"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_answers_in_use_are_accessible_and_fit(opened: Callable[..., Report], width: int, scheme: str) -> None:
    report = opened(STUDY, width=width, scheme=scheme)
    choose(report, "Differences to the base", "gone")
    search(report, "(case 1", "of 68 prompts")
    assert report.violations() == []
    assert report.too_wide() == []
