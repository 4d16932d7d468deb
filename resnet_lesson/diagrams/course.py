"""Diagram of the course: its lessons, and which builds on which."""

from resnet_lesson.diagrams.canvas import BLUE, BOLD, OTHER, Canvas
from resnet_lesson.plumbing.constraints import checked

HEIGHT, STEP = 0.44, 0.68  # inches: of a lesson, and from one to the next
ARROW = {"color": BLUE, "linewidth": 2}


@checked
def course_map(lessons, edges, ax=None):
    """Draw the lessons from top to bottom, with arrows from each to those that build on it.

    Args:
        lessons: list of texts (number, title, question), in reading order.
        edges: pairs of numbers, (lesson, lesson that builds on it).
        ax: matplotlib Axes to draw on; a new figure by default.

    Returns:
        (Axes, text alternative).
    """
    canvas = Canvas(ax)
    second = 1.1 + canvas.size(*(title for _, title, _ in lessons), **BOLD)[0]
    right = second + canvas.size(*(question for _, _, question in lessons))[0] + 0.2
    heights = {}
    for i, (number, title, question) in enumerate(lessons):
        y = heights[number] = -STEP * i
        canvas.box(right / 2, y, right, HEIGHT, "", OTHER)
        canvas.text(0.38, y, number, fontsize=16, color=BLUE, **BOLD)
        canvas.text(0.75, y, title, ha="left", **BOLD)
        canvas.text(second, y, question, ha="left")
    for start, end in edges:
        high, low = heights[start] - 0.07, heights[end] + 0.07
        if high - low < STEP:  # the next lesson
            half = HEIGHT / 2
            canvas.line((0.38, heights[start] - half), (0.38, heights[end] + half), **ARROW)
        else:
            out = -0.3 - 0.16 * (high - low)
            canvas.line((0, high), (out, high), (out, low), (0, low), curve=True, **ARROW)
    listed = "; ".join(f"{number} {title}: {question}" for number, title, question in lessons)
    arrows = ", ".join(" → ".join(edge) for edge in edges)
    return canvas.finish(), (
        f"Map of the course, {len(lessons)} lessons from top to bottom. {listed} "
        f"Arrows, each to a lesson that builds on another: {arrows}."
    )
