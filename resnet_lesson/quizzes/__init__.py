"""Quizzes at the end of the lessons, answered by a click.

A quiz is one TOML file beside this one, named after its lesson. The builder of the notebooks makes
the text with unfolding answers from the same file, for readers without JavaScript. The texts use
words, Unicode and the tags em, sub, sup and code, which mean the same in HTML and in Markdown.
"""

import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path

from IPython.display import display
from IPython.utils.capture import capture_output

from resnet_lesson.plumbing.constraints import OneOf, checked

FOLDER = Path(__file__).parent
RIGHT = "Right. "
# The buttons' colours keep a contrast of 4.5 or more to the white text on them.
COLOURS = {
    "--jq-multiple-choice-bg": "#26486e",
    "--jq-correct-color": "#1b6e3c",
    "--jq-incorrect-color": "#a62b2b",
}
# The library centres short answers in large letters; ours are sentences, so they get a style of
# their own. The script around the library's does three things. If the page has a MathJax of its
# own, the library would fetch another from outside: our texts need none, so it does not get to see
# that one. In JupyterLab the arrow keys would go to the notebook. And a screen reader must be told
# that the feedback changes.
STYLE, SCRIPT = ((FOLDER / name).read_text(encoding="utf-8") for name in ("quiz.css", "quiz.js"))
NO_SCRIPT = "The quiz appears here when this cell is run. The same questions stand below as text."
LESSON = OneOf(*sorted(path.stem for path in FOLDER.glob("*.toml")))


@checked(lesson=LESSON)
def read(lesson):
    """Read a lesson's quiz.

    Args:
        lesson: the lesson's number, such as ``"01"``.

    Returns:
        list of questions. Each is a dict of ``text`` and ``options``; each option is a dict of
        ``text``, ``why`` (why it is right or wrong) and, of the right one, ``right`` (True).

    Raises:
        ValueError: there is no quiz of that lesson.
    """
    return tomllib.loads((FOLDER / f"{lesson}.toml").read_text(encoding="utf-8"))["questions"]


@checked(lesson=LESSON)
def show(lesson):
    """Show a lesson's quiz in a notebook: a click on an option says why it is right or wrong.

    Without the package jupyterquiz it says so, and the lesson goes on: the text stays.

    Args:
        lesson: the lesson's number, such as ``"01"``.

    Raises:
        ValueError: there is no quiz of that lesson.
    """
    if importlib.util.find_spec("jupyterquiz") is None:
        print("The package jupyterquiz is not installed. The same questions stand below as text.")
        return
    page = html(read(lesson), f"quiz{lesson}")
    display({"text/html": page, "text/plain": f"Quiz of lesson {lesson}. {NO_SCRIPT}"}, raw=True)


def html(questions, box):
    """Return the quiz as a part of a page that needs nothing from outside.

    Args:
        questions: as from ``read``.
        box: name of the part.
    """
    from jupyterquiz import display_quiz

    with capture_output() as captured:
        display_quiz(library_form(questions), shuffle_answers=False, max_width=760, colors=COLOURS)
    page, script = (output.data for output in captured.outputs)
    page = page["text/html"]
    script = SCRIPT.replace("/* the library's script */", script["application/javascript"])
    note = f'<p class="without-script">{NO_SCRIPT}</p></div>'
    notice = f"/* The script and most of the style are those of jupyterquiz.\n\n{_licence()}*/\n"
    whole = f"{page}\n<style>\n{STYLE}</style>\n{note}\n<script>\n{notice}{script}</script>"
    drawn = re.search(r'<div id="(\w+)"', page)[1]  # the library draws a name
    return whole.replace(drawn, box).replace("quiz-box", box)


def _licence():
    """Return the library's licence, which must go wherever a page takes its script along."""
    files = importlib.metadata.files("jupyterquiz")
    return next(file for file in files if file.name.startswith("LICENSE")).read_text("utf-8")


def library_form(questions):
    """Return the questions as jupyterquiz wants them."""
    return [
        {
            "question": f"<b>{number}.</b> {question['text']}",
            "type": "multiple_choice",
            "answer_cols": 1,
            "answers": [
                {
                    "answer": f"<b>{letter})</b> {option['text']}",
                    "correct": "right" in option,
                    "feedback": RIGHT * ("right" in option) + option["why"],
                }
                for letter, option in zip("abcdef", question["options"], strict=False)
            ],
        }
        for number, question in enumerate(questions, 1)
    ]
