"""A page of feedback for the author of a hand-in."""

from pathlib import Path

from jinja2 import Template

from resnet_lesson.checks.core import NOT_ATTEMPTED, NOT_YET, PASSED

SIGNS = {PASSED: "✔", NOT_YET: "✘", NOT_ATTEMPTED: "–"}


def page(grade):
    """Return a Grade as a page of HTML, for people and screen readers.

    Args:
        grade: Grade.
    """
    text = Path(__file__).with_name("feedback.html").read_text(encoding="utf-8")
    return Template(text, autoescape=True, trim_blocks=True).render(grade=grade, signs=SIGNS)
