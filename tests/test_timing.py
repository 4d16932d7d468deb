"""Median times: with a clock that the test moves, so that no real second is compared."""

import time

import pytest

from resnet_lesson.diagnostics import median_seconds


class Clock:
    """A clock that stands still but for what the calls spend."""

    def __init__(self, monkeypatch):
        self.now, self.log = 100.0, []
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def call(self, name, seconds):
        """Return a call that takes the given seconds, one after the other."""
        following = iter(seconds)

        def run():
            self.log.append(name)
            self.now += next(following)

        return run


def test_median_of_the_timed_rounds_alone(monkeypatch):
    clock = Clock(monkeypatch)
    calls = {"a": clock.call("a", [50, 3, 1, 20]), "b": clock.call("b", [70, 5, 6, 4])}
    assert median_seconds(calls, repeats=3, warm_up=1) == {"a": 3.0, "b": 5.0}


def test_calls_take_turns(monkeypatch):
    clock = Clock(monkeypatch)
    calls = {"b": clock.call("b", [1] * 5), "a": clock.call("a", [1] * 5)}
    assert list(median_seconds(calls, repeats=3, warm_up=2)) == ["b", "a"]
    assert clock.log == ["b", "a"] * 5


def test_the_real_clock_gives_positive_seconds():
    assert median_seconds({"sum": lambda: sum(range(1000))}, repeats=3)["sum"] > 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"calls": {}}, ValueError, "calls must not be empty. Received: {}"),
        ({"calls": {"a": 3}}, TypeError, "calls must be a function. Received: 3"),
        ({"calls": {"a": print}, "repeats": 0}, ValueError, "repeats .*Received: 0"),
        ({"calls": {"a": print}, "warm_up": -1}, ValueError, "warm_up .*Received: -1"),
        ({"calls": {"a": print}, "repeats": 2.5}, TypeError, "repeats .*Received: 2.5"),
    ],
)
def test_unusable_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        median_seconds(**arguments)
