"""A real browser for the tests of pages, and what its console says."""

import functools
import http.server
import threading
from contextlib import contextmanager

import chromium
import pytest


@contextmanager
def launched():
    """Start a browser; skip the test, with a sentence, if there is none."""
    pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if chromium.found() is None:
        pytest.skip(chromium.MISSING)
    with chromium.launched() as started:
        yield started


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """Serve a folder on a free port of this machine; give its address."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


class Watched:
    """A page, with what its console says and what it asks for elsewhere."""

    def __init__(self, browser, address, width=1280, height=800, dark=False):
        scheme = "dark" if dark else "light"
        size = {"width": width, "height": height}
        self.context = browser.new_context(viewport=size, color_scheme=scheme)
        self.page, self.address = self.context.new_page(), address
        self.errors, self.outside = [], []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._asked)

    def _heard(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def _asked(self, request):
        if not request.url.startswith((self.address, "data:", "blob:", "about:")):
            self.outside.append(request.url)

    def go(self, path):
        """Open a page and wait until it and its formulas are there."""
        self.page.goto(f"{self.address}/{path}")
        self.page.wait_for_load_state("networkidle")
        self.page.evaluate("window.MathJax?.startup?.promise")
        return self.page
