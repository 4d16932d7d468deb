"""The text of a quiz, with unfolding answers, for readers without JavaScript.

In a lesson's source, a line ``<!-- quiz: 01 -->`` of a Markdown cell stands for it. The questions
are in ``resnet_lesson/quizzes/``, from where the lesson shows them to be answered by a click.
"""

import re
import tomllib
from pathlib import Path

QUIZ_MARK = re.compile(r"^<!-- quiz: (\w+) -->$", re.MULTILINE)
RIGHT = "Right. "


def with_quiz(markdown: str, root: Path) -> str:
    """Return the Markdown with the quiz in place of its mark; a mark without a quiz stays."""

    def text_instead(match: re.Match) -> str:
        path = root / "resnet_lesson" / "quizzes" / f"{match[1]}.toml"
        return quiz_text(path) if path.exists() else match[0]

    return QUIZ_MARK.sub(text_instead, markdown)


def quiz_text(path: Path) -> str:
    """Return the quiz as Markdown, folded up, each answer folded up in it."""
    questions = tomllib.loads(path.read_text(encoding="utf-8"))["questions"]
    lines = ["<details><summary>The same questions as text, with unfolding answers</summary>", ""]
    for number, question in enumerate(questions, 1):
        options = list(zip("abcdef", question["options"], strict=False))
        lines += [f"**{number}.** {_one_line(question['text'])}", ""]
        lines += [f"- **{letter})** {_one_line(option['text'])}" for letter, option in options]
        lines += ["", "<details><summary>Answer</summary>", ""]
        for letter, option in options:
            told = RIGHT * option.get("right", False)
            lines.append(f"- **{letter})** {told}{_one_line(option['why'])}")
        lines += ["", "</details>", ""]
    return "\n".join([*lines, "</details>"])


def _one_line(text: str) -> str:
    return " ".join(text.split())
