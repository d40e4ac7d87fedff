"""How large the page is, how soon it answers its reader and what its tab takes in memory: of 16, 101 and 1,001 runs.

A page answers when the reader's first click on a heading of the table is followed by the sorted table on the screen:
the seconds are those from the start of the navigation, in Chromium on a screen of 1,440 by 900 pixels, the median of
visits with empty caches. The click is as early as one has an effect. Memory is what the tab's process shares with no
other, after the page was loaded and its table sorted.
"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil
from playwright.sync_api import Browser

from benchmarks.compare import shape
from benchmarks.record import ROOT, record
from tests.browser.chromium import chromium
from tests.browser.report import Report
from tests.example_study import METHODS, Shape, build_study

SIZES = ((1, 3), (4, 5), (40, 5))
"""Points of each of five methods, and seeds; the base is one run more."""
PROMPTS = 200
"""Held-out ones: of many points more than a page shows."""
VISITS = 5


class Visit(NamedTuple):
    """One reader's."""

    seconds_until_sorted: float
    seconds_to_sort_every_point: float
    """From a click with all points in the table; large studies begin with the best of each method."""
    tab_memory_bytes: int


def main() -> None:
    figures: dict[str, float] = {"visits": VISITS, "prompts": PROMPTS}
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for points, seeds in SIZES:
            runs = points * seeds * len(METHODS) + 1
            page = written(build_study(Path(folder) / str(runs), study(points, seeds)))
            figures |= figures_of(browser, page, runs)
    record("page", figures)


def study(points: int, seeds: int) -> Shape:
    """So many points per method and seeds, with the answers of the comparison's benchmark."""
    return replace(shape(points), seeds=tuple(range(seeds)), heldout=PROMPTS)


def written(study_directory: Path) -> Path:
    """The page of a study, by the script that a study's rule calls."""
    report = study_directory / "report"
    command = [sys.executable, ROOT / "scripts" / "compare.py", "--study-directory", study_directory]
    subprocess.run([*command, "--output", report], check=True)
    return report / "index.html"


def figures_of(browser: Browser, page: Path, runs: int) -> dict[str, float]:
    """Medians over the visits, after one that does not count: the browser itself is warm."""
    first, *visits = [visit(browser, page) for _ in range(VISITS + 1)]
    found: dict[str, float] = {f"page_bytes_of_{runs}_runs": page.stat().st_size}
    for name in first._fields:
        found[f"{name}_of_{runs}_runs"] = median(getattr(one, name) for one in visits)
    return found


def visit(browser: Browser, page: Path) -> Visit:
    """Open, sort, show and sort every point. Raises SystemExit when the page complains."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        report = Report(context.new_page())
        report.open(page, until="commit")
        seconds = report.seconds_until_sorted("difference")
        report.page.wait_for_load_state("load")
        memory = tab_memory_bytes(browser)
        report.show_every_point()
        again = report.seconds_to_sort("words")
        if report.complaints:
            raise SystemExit(f"{page} complains: {report.complaints}")
        return Visit(seconds, again, memory)
    finally:
        context.close()


def tab_memory_bytes(browser: Browser) -> int:
    """Of the largest process that shows a page; there is one tab."""
    session = browser.new_browser_cdp_session()
    processes: Sequence[dict[str, object]] = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    shown = [psutil.Process(int(str(one["id"]))) for one in processes if one["type"] == "renderer"]
    return max(process.memory_full_info().uss for process in shown)


if __name__ == "__main__":
    main()
