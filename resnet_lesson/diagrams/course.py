"""Diagram of the course: its lessons, and which builds on which."""

import itertools
import textwrap

from resnet_lesson.diagrams.canvas import BLUE, BOLD, OTHER, Canvas
from resnet_lesson.plumbing.constraints import TEXT, Kind, ListOf, Row, checked, received

NUMBER = Kind(
    "a number or a text",
    lambda value: isinstance(value, (int, str)),
    lambda value: str(value).zfill(2),
)


@checked(
    lessons=ListOf(Row("(number, title, question)", NUMBER, TEXT, TEXT)),
    edges=ListOf(Row("(lesson, later lesson)", NUMBER, NUMBER), least=0) | None,
)
def course_map(lessons, edges=None, ax=None):
    """Draw the lessons from top to bottom, with arrows from each to those that build on it.

    Args:
        lessons: list of (number, title, question), in reading order; a number is an integer or a
            text.
        edges: pairs of numbers, (lesson, lesson that builds on it); each lesson on the one before
            it by default.
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).

    Raises:
        TypeError, ValueError: there are no lessons, a number comes twice, or an edge does not lead
            from a lesson to a later one.
    """
    place = {number: i for i, (number, _, _) in enumerate(lessons)}
    if len(place) < len(lessons):
        raise ValueError(f"lessons must have numbers, each its own. Received: {received(lessons)}")
    edges = list(itertools.pairwise(place)) if edges is None else edges
    for edge in edges:
        if not {*edge} <= place.keys() or place[edge[0]] >= place[edge[1]]:
            raise ValueError(f"edges must lead from a lesson to a later one. Received: {edge!r}")
    canvas = Canvas(ax)
    questions = [textwrap.fill(question, 56) for _, _, question in lessons]
    second = 1.1 + canvas.size([title for _, title, _ in lessons], **BOLD)[0]
    right = second + canvas.size(questions)[0] + 0.2
    y, spans = 0.0, []  # spans: top and bottom of each lesson
    for (number, title, _), question in zip(lessons, questions, strict=True):
        height = canvas.size([question])[1] + 0.26
        middle = y - height / 2
        canvas.box(right / 2, middle, right, height, "", OTHER)
        canvas.text(0.38, middle, number, fontsize=16, color=BLUE, **BOLD)
        canvas.text(0.75, middle, title, ha="left", **BOLD)
        canvas.text(second, middle, question, ha="left")
        spans.append((y, y - height))
        y -= height + 0.24
    arrow = {"color": BLUE, "linewidth": 2}
    for i, j in ((place[start], place[end]) for start, end in edges):
        if j == i + 1:
            canvas.line((0.38, spans[i][1]), (0.38, spans[j][0]), **arrow)
        else:
            high, low = sum(spans[i]) / 2 - 0.07, sum(spans[j]) / 2 + 0.07
            out = -0.3 - 0.11 * (j - i)
            canvas.line((0, high), (out, high), (out, low), (0, low), curve=True, **arrow)
    listed = "; ".join(f"{number} {title}: {question}" for number, title, question in lessons)
    arrows = ", ".join(" → ".join(edge) for edge in edges)
    return canvas.finish(), (
        f"Map of the course, {len(lessons)} lessons from top to bottom. {listed} "
        f"Arrows, each to a lesson that builds on another: {arrows or 'none'}."
    )
