"""A real browser, for tests of pages and to print slides: Debian's Chromium, by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "There is no Chromium: `apt-get install chromium` brings one."


def found() -> str | None:
    """Return the path of a Chromium, None if this machine has none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched() -> Iterator:
    """Start a browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found(), args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def print_page(browser, address: str, path: Path, ready: str = "true", **options) -> Path:
    """Print a page as a PDF, once its formulas and what else it waits for are there."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_function(ready)
    page.evaluate("MathJax.startup.promise")
    page.pdf(path=path, **options)
    page.close()
    return path
