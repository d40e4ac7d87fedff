"""Nothing is loaded, nothing foreign runs, and text stays text, in a browser that would do as it is told."""

import re
from collections.abc import Callable

import pytest

from prefsweep.rendering import visible
from tests.browser.conftest import PAGES
from tests.browser.report import Report
from tests.hostile_text import HOSTILE

HOSTILE_PAGES = ("hostile", "hostile-in-turn")
INJECT = """() => {
  window.blocked = new Set();
  document.addEventListener("securitypolicyviolation", (event) => window.blocked.add(event.effectiveDirective));
  document.body.insertAdjacentHTML("beforeend", `<button id="one" onclick="alert(1)">x</button>
    <a id="two" href="javascript:alert(1)">x</a><iframe src="https://evil.example/"></iframe>
    <form id="three" action="https://evil.example/"></form>`);
  for (const id of ["one", "two"]) document.getElementById(id).click();
  const script = document.createElement("script");
  script.textContent = "alert(1)";
  document.body.append(script);
  new Image().src = "https://evil.example/";
  fetch("https://evil.example/").catch(() => {});
  setTimeout(() => document.getElementById("three").submit(), 100);  // not in the link's way
}"""
BLOCKED = ("script-src-attr", "script-src-elem", "frame-src", "img-src", "connect-src", "form-action")


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_asked_for_and_nothing_complained_about(opened: Callable[..., Report], name: str) -> None:
    report = opened(name)
    list(report.charts())
    report.open_details()
    assert report.requests == []
    assert report.complaints == []


def test_the_policy_stops_what_is_injected(opened: Callable[..., Report]) -> None:
    report = opened("one-seed")
    report.page.evaluate(INJECT)
    report.page.wait_for_function("expected => expected.every(one => window.blocked.has(one))", arg=BLOCKED)
    assert not report.alerted
    assert report.requests == []
    report.complaints.clear()  # the browser has said what it blocked


@pytest.mark.parametrize("name", HOSTILE_PAGES)
def test_hostile_text_runs_nothing_and_adds_nothing(opened: Callable[..., Report], name: str) -> None:
    report = opened(name)
    list(report.charts())
    report.open_details()
    report.page.keyboard.press("Tab")
    assert not report.alerted
    assert report.active_nodes() == []
    policy = report.page.locator("meta[http-equiv]")
    assert policy.count() == 1
    allowed = re.findall(r"'sha256-[^']+'", str(policy.get_attribute("content")))
    assert report.page.locator("script:not([type])").count() == len(allowed)
    assert report.page.locator("script").count() == len(allowed) + report.page.locator(".chart").count()


@pytest.mark.parametrize("name", HOSTILE_PAGES)
def test_hostile_text_is_read_as_it_was_written(opened: Callable[..., Report], name: str) -> None:
    report = opened(name)
    text = report.page.evaluate("() => document.body.textContent")
    assert [hostile for hostile in HOSTILE if visible(hostile) not in text] == []
    assert len(HOSTILE) >= 40


@pytest.mark.parametrize("name", HOSTILE_PAGES)
def test_hostile_text_is_inert_in_tooltips(opened: Callable[..., Report], name: str) -> None:
    report = opened(name)
    chart = next(report.charts())
    chart.locator(".live .mark-symbol path").last.hover()
    tooltip = report.page.locator(".vg-tooltip.visible")
    tooltip.wait_for()
    assert set(tooltip.evaluate("node => [...node.querySelectorAll('*')].map(one => one.localName)")) <= {
        "table", "tbody", "tr", "td",
    }  # fmt: skip
    assert not report.alerted
