"""Debian's Chromium, driven through Playwright's client; Playwright's own browsers are not used."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from tests import debian

PROGRAM = "/usr/bin/chromium"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser, installed first where it is missing. Raises NotInstallable."""
    debian.ensure([PROGRAM], ["chromium"])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM)
        try:
            yield browser
        finally:
            browser.close()
