"""What several files of tests share."""

import browser
import pytest


@pytest.fixture(scope="module")
def chromium():
    """A browser for the tests of one file."""
    with browser.launched() as started:
        yield started
