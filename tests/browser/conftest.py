"""Debian's Chromium for the session, and pages of made-up studies that tests of it share."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from prefsweep.plan import BASE
from tests.browser.chromium import chromium
from tests.browser.report import Report
from tests.debian import NotInstallable
from tests.example_study import METHODS, Shape, build_study
from tests.hostile_text import HOSTILE

ROOT = Path(__file__).resolve().parents[2]
ALL_HOSTILE = " ".join(HOSTILE)
_SMALL = {"methods": ("dpo", "kto", "cpo"), "failed": ("kto",), "heldout": 12, "showcase": 2, "steps": 8}
_IN_TURN = cycle(HOSTILE)
SHAPES = {
    "ordinary": Shape(seeds=(0, 1, 2), variants=2, speed_noise=0.05),
    "one-seed": Shape(),
    "failed": Shape(seeds=(0, 1), failed=("kto", "cpo")),
    "two-swept": Shape(methods=("dpo", "simpo"), seeds=(0, 1), variants=2, knobs=3, heldout=12, showcase=1, steps=8),
    "nothing-finished": Shape(failed=("kto",), unfinished=(BASE, *METHODS)),
    "hostile": Shape(**_SMALL, text=lambda text: f"{text} {ALL_HOSTILE}"),
    "hostile-in-turn": Shape(**_SMALL, text=lambda text: f"{text} {next(_IN_TURN)}"),
    "huge-text": Shape(**_SMALL, text=lambda text: text + " " + "x" * 1_000_000),
    "thousand-runs": Shape(seeds=tuple(range(5)), variants=8, knobs=5, heldout=8, showcase=2, steps=8),
}
"""What the pages are about, by name."""
PAGES = tuple(name for name in SHAPES if name != "thousand-runs")
"""Those that are small enough to be looked at whole."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        with chromium() as started:
            yield started
    except NotInstallable as reason:
        pytest.skip(f"no browser here: {reason}")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The page of a study in `SHAPES`, written once by the script that a study's rule calls."""
    directory, made = tmp_path_factory.mktemp("studies"), dict[str, Path]()

    def page(name: str) -> Path:
        if name not in made:
            made[name] = write_report(build_study(directory / name, SHAPES[name]))
        return made[name]

    return page


def write_report(study: Path, report: str = "report", **environment: str) -> Path:
    """Report what exists of a study; returns the page."""
    command = [sys.executable, ROOT / "scripts" / "compare.py", "--study-directory", study, "--partial"]
    subprocess.run([*command, "--output", study / report], check=True, env=os.environ | environment)
    return study / report / "index.html"


@pytest.fixture
def opened(browser: Browser, written: Callable[[str], Path]) -> Iterator[Callable[..., Report]]:
    """Opens the page of a study in `SHAPES`, or a file, on a wide and light screen unless told otherwise.

    However a test ends, no page may have complained or asked for anything.
    """
    reports, contexts = [], []

    def open_report(
        page: str | Path, *, width: int = 1440, height: int = 900, scheme: str = "light", until: str = "load"
    ) -> Report:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        reports.append(Report(context.new_page()))
        reports[-1].open(page if isinstance(page, Path) else written(page), until=until)
        return reports[-1]

    yield open_report
    heard = [(report.complaints, report.requests) for report in reports]
    for context in contexts:
        context.close()
    assert heard == [([], [])] * len(reports)
