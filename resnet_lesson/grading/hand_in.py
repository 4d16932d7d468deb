"""What the grader asks of a hand-in's kernel: this module is loaded there, before the first cell.

What counts is what the checks enter themselves. Results that a hand-in writes, and checks that it
replaces, are noticed where it is done plainly; whoever knows Python well gets around this.
"""

import json
import sys

from IPython import get_ipython
from jupyter_client.jsonutil import json_default

import resnet_lesson  # noqa: F401 - before TensorFlow, whose start-up messages it stops
from resnet_lesson import checks
from resnet_lesson.checks import core

_CODE = checks.identity_pair.__code__  # of all checks: they are made by one function
_earned = {}  # name → the last Result that a check itself has entered


class _Results(dict):
    """The results of the checks; it notices who enters one."""

    def __setitem__(self, name, result):
        super().__setitem__(name, result)
        if sys._getframe(1).f_code is _CODE:
            _earned[name] = result


_results = _Results()


def _parts():
    """Return everything that the checks are made of, by module and name."""
    modules = [name for name in sys.modules if name.startswith("resnet_lesson.checks")]
    return {(m, name): part for m in modules for name, part in vars(sys.modules[m]).items()}


def watch():
    """Begin to note what the checks find."""
    global _before
    core.results = _results
    _before = _parts()
    get_ipython().kernel.session.pack = _pack


def _pack(message):
    """Write a message in ASCII, which can hold half a surrogate pair; UTF-8 cannot."""
    return json.dumps(message, default=json_default).encode()


def report():
    """Return as JSON what the checks have found by now.

    Returns:
        text of a dictionary: ``results`` (name → status and message), ``forged`` (names of results
        that no check has entered), ``replaced`` (names in the checks' modules) and ``leaving``
        (whether the kernel is about to end, as after ``quit()``).
    """
    now = _parts()
    found = {
        "results": {name: [one.status, one.message] for name, one in _earned.items()},
        "forged": [str(name) for name, one in _results.items() if _earned.get(name) is not one],
        "replaced": [key[1] for key, part in _before.items() if now.get(key) is not part],
        "leaving": get_ipython().exit_now,
    }
    return json.dumps(found, default=str)
