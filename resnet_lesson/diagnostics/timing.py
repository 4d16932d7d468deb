"""Seconds of calls, measured side by side."""

import time

import numpy as np

from resnet_lesson.arguments import dictionary, function, whole_number


def median_seconds(calls, repeats=9, warm_up=2):
    """Measure how long each call takes: the median of several times, taken in turns.

    In each round every call runs once. So a machine that slows down for a while slows all of them.
    The median leaves out the odd round that something else disturbed.

    Args:
        calls: dictionary: name → function without arguments, which returns when its work is done.
        repeats: number of rounds that are timed.
        warm_up: number of rounds before them, which are not timed: the first call of a
            ``tf.function`` traces it.

    Returns:
        dictionary in the order of ``calls``: name → median seconds of one call.

    Raises:
        TypeError, ValueError: there are no calls, one is no function, or a number is unusable.
    """
    for call in dictionary("calls", calls).values():
        function("calls", call)
    whole_number("repeats", repeats, least=1)
    whole_number("warm_up", warm_up, least=0)
    spent = {name: [] for name in calls}
    for _ in range(warm_up + repeats):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            spent[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds[warm_up:])) for name, seconds in spent.items()}
