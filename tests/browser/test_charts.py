"""What is drawn of sweeps and of training: the numbers that its words say, and nothing that is hard to see."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator

from tests.browser.report import Report

LOOKS = [(390, "dark"), (390, "light"), (1440, "dark"), (1440, "light")]

_MIDDLE = """path => {
  const { x, y } = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());
  return [x, y];
}"""


def words(chart: Locator, kind: str) -> list[str]:
    """Texts of one kind in a chart, as drawn: `axis-label`, `axis-title` or `mark`."""
    return chart.locator(f".live text:is(.role-{kind} text)").all_text_contents()


def test_two_swept_settings_are_a_heat_map_that_says_its_numbers(opened: Callable[..., Report]) -> None:
    report = opened("two-swept")
    chart = report.chart("grid-simpo-beta-learning-rate")
    assert words(chart, "axis-title") == ["beta", "learning rate"]
    assert words(chart, "axis-label") == ["2.5", "5", "7.5", "0.0002", "0.0004"]
    shares, spoken = words(chart, "mark"), str(chart.get_attribute("aria-label"))
    assert len(shares) == 6
    assert [one.rpartition(": ")[2] for one in spoken.split("; ")] == shares
    strengths = chart.locator(".live .mark-rect.role-mark path").evaluate_all(
        "nodes => nodes.map(node => Number(node.getAttribute('opacity')))"
    )
    by_share = sorted(zip(map(share, shares), strengths, strict=True))
    assert [strength for _, strength in by_share] == sorted(strengths)
    assert by_share[0][1] < by_share[-1][1]


def share(text: str) -> float:
    return float(text.removesuffix(" %"))


def test_the_best_of_so_many_tries_names_every_number_of_tries_once(opened: Callable[..., Report]) -> None:
    chart = opened("two-swept").chart("best-of")
    assert [word for word in words(chart, "axis-label") if "%" not in word] == ["1", "2", "3", "4", "5", "6"]
    assert words(chart, "mark") == ["dpo", "simpo"]


def test_what_a_setting_does_is_drawn_for_each_method_value_and_seed(opened: Callable[..., Report]) -> None:
    report = opened("two-swept")
    chart = report.chart("effect-beta")
    assert words(chart, "axis-label")[:4] == ["0.2", "0.3", "5", "7.5"]
    means, seeds = (chart.locator(f".live .layer_{layer}_marks path") for layer in (2, 3))
    assert (means.count(), seeds.count()) == (4, 8)
    means.first.hover()
    tooltip = report.page.locator(".vg-tooltip.visible")
    tooltip.wait_for()
    told = dict(zip(*(tooltip.locator(f"td.{part}").all_inner_texts() for part in ("key", "value")), strict=True))
    assert (told["method"], told["from"], told["value"]) == ("dpo", "0.1", "0.2")
    assert f"dpo 0.1 to 0.2: {told['difference']}" in str(chart.get_attribute("aria-label"))


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_what_is_drawn_of_a_sweep_is_easy_to_see(opened: Callable[..., Report], width: int, scheme: str) -> None:
    report = opened("two-swept", width=width, scheme=scheme)
    assert len(list(report.charts("#lessons"))) == 5
    assert report.crowded("#lessons") == []
    assert report.faint("#lessons") == []


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_training_curves_are_easy_to_see(opened: Callable[..., Report], width: int, scheme: str) -> None:
    report = opened("ordinary", width=width, scheme=scheme)
    assert len(list(report.charts("#training"))) > 20
    assert report.crowded("#training") == []
    assert report.faint("#training") == []


def test_a_training_curve_tells_whose_it_is(opened: Callable[..., Report]) -> None:
    report = opened("one-seed")
    chart = report.chart("training-loss-kto")
    middle = chart.locator(".live .mark-line.role-mark path").last.evaluate(_MIDDLE)
    report.page.mouse.move(*middle)
    tooltip = report.page.locator(".vg-tooltip.visible")
    tooltip.wait_for()
    assert "kto beta=0.1 lr=0.0002 · seed 0" in tooltip.inner_text()
    last = tooltip.locator("tr", has_text="last value").locator(".value").inner_text()
    assert f"seed 0 {float(last):.3g}" in str(chart.get_attribute("aria-label"))
