"""A report as its reader meets it in a browser: looked at, clicked on, printed. One home for the page's selectors."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Locator, Page, Route

AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_WATCH_ALERTS = "window.alert = () => { window.alerted = true; };"
_ACTIVE = """() => [...document.querySelectorAll("*")].filter(node =>
  node.matches("iframe, object, embed, base, img, video, template, dialog, animate, set, use, foreignObject, [action]")
  || [...node.attributes].some(one => /^on|^(src|srcset|srcdoc)$/i.test(one.name)
    || (/href$/i.test(one.name) && /^\\s*(javascript|data:(?!,$))/i.test(one.value)))
).map(node => node.outerHTML.slice(0, 200))"""
_SHOWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
_CLICKED_AND_SHOWN = """button => new Promise(done => {
  const start = performance.now();
  button.click();
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)));
})"""
_TOO_WIDE = """() => {
  const root = document.documentElement, scrolls = ".scroll *, .text *, pre *, nav *";
  if (root.scrollWidth <= root.clientWidth) return [];
  const wide = [...document.body.querySelectorAll("*")].filter(node =>
    !node.closest(scrolls) && node.getBoundingClientRect().right > root.clientWidth + 1);
  const shown = wide.map(node => `${node.tagName}.${node.className} ${node.textContent.slice(0, 60)}`);
  return [`${root.scrollWidth} px`, ...shown];
}"""
_CUT_OFF = """() => [...document.querySelectorAll("main *")].filter(node => {
  const style = getComputedStyle(node), clips = (overflow) => overflow !== "visible";
  return !node.closest("svg") && (clips(style.overflowX) && node.scrollWidth > node.clientWidth + 1
    || clips(style.overflowY) && node.scrollHeight > node.clientHeight + 1);
}).map(node => `${node.tagName}.${node.className} ${node.textContent.slice(0, 60)}`)"""
_LOOKS = Path(__file__).with_name("looks.js").read_text(encoding="utf-8")


@dataclass
class Report:
    """An opened page that notes what it complains about and what it asks the network for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, path: Path, *, until: str = "load") -> None:
        """Go to a file; everything else that is asked for is noted and refused."""
        document = path.as_uri()

        def answer(route: Route) -> None:
            if route.request.url.partition("#")[0] == document:
                route.continue_()
                return
            self.requests.append(route.request.url)
            route.abort()

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.complaints.append(message.text)

        self.page.on("console", note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.route("**/*", answer)
        self.page.add_init_script(_WATCH_ALERTS + _LOOKS)
        self.page.goto(document, wait_until=until)

    @property
    def alerted(self) -> bool:
        """Whether anything on the page has called `alert`."""
        return bool(self.page.evaluate("() => Boolean(window.alerted)"))

    def sections(self) -> list[str]:
        """The ids of the sections below the answer."""
        found: list[str] = self.page.eval_on_selector_all("main > section", "nodes => nodes.map(node => node.id)")
        return found

    def listed_sections(self) -> list[str]:
        """The ids that the navigation leads to."""
        links = self.page.eval_on_selector_all("nav.sections a", "nodes => nodes.map(node => node.hash.slice(1))")
        return list(links)

    def charts(self, within: str = "main") -> Iterator[Locator]:
        """Every chart, in view and drawn live, in the order of the page."""
        for chart in self.page.locator(f"{within} .chart").all():
            if chart.is_visible():
                yield _alive(chart)

    def chart(self, figure: str) -> Locator:
        """One figure's chart, in view and drawn live."""
        return _alive(self.page.locator(f"[data-spec='spec-{figure}']"))

    def crowded(self, within: str) -> list[str]:
        """Words of charts that stand on one another or beyond their panel."""
        found: list[str] = self.page.evaluate("within => looks.crowded(within)", within)
        return found

    def faint(self, within: str) -> list[str]:
        """What hardly stands out from the page in charts: words below 4.5:1, lines and symbols below 3:1."""
        found: list[str] = self.page.evaluate("within => looks.faint(within)", within)
        return found

    def open_details(self) -> None:
        """Unfold everything."""
        self.page.eval_on_selector_all("details", "nodes => nodes.forEach(node => { node.open = true; })")

    def active_nodes(self) -> list[str]:
        """Elements that could run or load something, beside the page's own scripts."""
        found: list[str] = self.page.evaluate(_ACTIVE)
        return found

    def violations(self) -> list[str]:
        """What axe finds wrong with the page as it is now: rule, gravity and the elements."""
        options = {"runOnly": list(AXE_TAGS), "resultTypes": ["violations"]}
        found = Axe().run(self.page, options=options).response["violations"]
        return [f"{one['id']} ({one['impact']}): {one['help']}: {' | '.join(_elements(one))}" for one in found]

    def too_wide(self) -> list[str]:
        """What makes the page itself scroll sideways."""
        found: list[str] = self.page.evaluate(_TOO_WIDE)
        return found

    def cut_off(self) -> list[str]:
        """Elements that hide a part of what is in them: on paper nobody can scroll."""
        found: list[str] = self.page.evaluate(_CUT_OFF)
        return found

    def printed(self, path: Path) -> Path:
        """The page as a PDF on A4, as the browser prints it."""
        self.page.pdf(path=path, format="A4", prefer_css_page_size=True)
        return path

    def show_every_point(self) -> None:
        """Large studies begin with the best of each method."""
        for button in self.page.locator("button[name=all]").all():
            button.click()

    def seconds_until_sorted(self, heading: str) -> float:
        """Sort the points by a column, and how long that took from the start of the navigation until it was seen.

        Of a page opened `until` the "commit" of its navigation the click is as early as one has an effect.
        """
        self.column_button(heading).click()
        milliseconds: float = self.page.evaluate(_SHOWN)
        assert self.order(heading), f"a click on “{heading}” had no effect"
        return milliseconds / 1000

    def seconds_to_sort(self, heading: str) -> float:
        """Sort the points by a column, and how long that took from the click until it was seen."""
        milliseconds: float = self.column_button(heading).evaluate(_CLICKED_AND_SHOWN)
        assert self.order(heading), f"a click on “{heading}” had no effect"
        return milliseconds / 1000

    def column_button(self, heading: str) -> Locator:
        """What sorts the points by a column."""
        return self.page.locator("table.board thead").get_by_role("button", name=heading, exact=True)

    def order(self, heading: str) -> str | None:
        """How the points are sorted by a column: `ascending`, `descending` or not."""
        cell = self.column_button(heading).locator("xpath=ancestor::th")
        return cell.get_attribute("aria-sort")

    def column(self, heading: str) -> list[str]:
        """What the points that are shown are sorted by in a column, from top to bottom; empty without a value."""
        heads: list[str] = self.page.eval_on_selector_all(
            "table.board thead th", "nodes => nodes.map(node => node.innerText.split('\\n')[0].trim())"
        )
        names = self.page.locator("table.board tbody th[data-value]:visible")
        values: list[str] = names.evaluate_all(
            "(nodes, column) => nodes.map(node => node.parentElement.cells[column].dataset.value)", heads.index(heading)
        )
        return values


def _alive(chart: Locator) -> Locator:
    chart.scroll_into_view_if_needed()
    chart.locator(".live svg").wait_for()
    return chart


def _elements(violation: dict[str, Any]) -> Iterator[str]:
    for node in violation["nodes"]:
        yield f"{node['target'][0]} {node['html'][:160]} {node['failureSummary'].splitlines()[-1].strip()}"
