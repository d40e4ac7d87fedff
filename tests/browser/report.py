"""A report as its reader meets it in a browser: looked at, clicked on. One home for the page's selectors."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, Route

_WATCH_ALERTS = "window.alert = () => { window.alerted = true; };"
_ACTIVE = """() => [...document.querySelectorAll("*")].filter(node =>
  node.matches("iframe, object, embed, base, img, video, template, dialog, animate, set, use, foreignObject, [action]")
  || [...node.attributes].some(one => /^on|^(src|srcset|srcdoc)$/i.test(one.name)
    || (/href$/i.test(one.name) && /^\\s*(javascript|data:(?!,$))/i.test(one.value)))
).map(node => node.outerHTML.slice(0, 200))"""


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
        self.page.add_init_script(_WATCH_ALERTS)
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

    def charts(self) -> Iterator[Locator]:
        """Every chart, in view and drawn live, in the order of the page."""
        for chart in self.page.locator(".chart").all():
            if chart.is_visible():
                chart.scroll_into_view_if_needed()
                chart.locator(".live svg").wait_for()
                yield chart

    def open_details(self) -> None:
        """Unfold everything."""
        self.page.eval_on_selector_all("details", "nodes => nodes.forEach(node => { node.open = true; })")

    def active_nodes(self) -> list[str]:
        """Elements that could run or load something, beside the page's own scripts."""
        found: list[str] = self.page.evaluate(_ACTIVE)
        return found

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
