"""What several files of tests share, and what a test run reports at its end."""

import gc
import signal
import sys

# Whoever checks a notebook's form imports this grammar of web addresses, which takes two seconds to
# build. The checks do without it, too, and no test is about addresses.
sys.modules["rfc3987_syntax"] = None

import browser  # noqa: E402
import pytest  # noqa: E402

# A shell without job control starts what runs in the background with Ctrl-C switched off. Tests
# that interrupt a training would then wait for its end for ever.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """Let the garbage collector leave alone what all tests have imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def chromium():
    """A browser for the tests of one file."""
    with browser.launched() as started:
        yield started


def pytest_terminal_summary(terminalreporter):
    """Say how many bad inputs were tried, each once: see test_bad_input."""
    tried = {
        digest
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, digests in getattr(report, "user_properties", [])
        if name == "bad inputs"
        for digest in digests
    }
    if tried:
        terminalreporter.write_line(f"{len(tried):,} distinct bad inputs were tried.")
