"""Checks of the exercises: each takes an answer, prints one short message, returns a Result.

A check has the name of its exercise, as in ``checks.deepened(answer)``, and stands in the module
of its lesson. ``checks.summary("03")`` tells where the reader stands.
"""

import importlib

from resnet_lesson.checks.core import Result, exercises, summary

for _lesson in range(1, 10):
    importlib.import_module(f"resnet_lesson.checks.lesson{_lesson:02}")  # it enters its checks

_checks = {name: check for lesson in exercises.values() for name, check in lesson.items()}
globals().update(_checks)

__all__ = ["Result", "summary", *_checks]
