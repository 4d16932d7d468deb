"""Quizzes: what each question holds, and that the click and the text say the same."""

import importlib.util
import json
import re
import tomllib

import build_notebooks as builder
import notebook_checks
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat.v4 import new_markdown_cell, new_notebook
from notebook_kinds import ROOT, notebooks
from quiz_text import quiz_text, with_quiz
from tiny_course import tiny_course

from resnet_lesson import quizzes

FOLDER = ROOT / "resnet_lesson" / "quizzes"
FILES = sorted(FOLDER.glob("*.toml"))
# Decimals of more than two digits that a reader can compute; others were measured.
EXACT = {"1.28", "1.46"}
each_quiz = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@each_quiz
def test_five_questions_with_one_right_option_each(path):
    questions = quizzes.read(path.stem)
    assert len(questions) == 5
    for question in questions:
        options = question["options"]
        assert 3 <= len(options) <= 5
        assert ["right" in option for option in options].count(True) == 1
        for part in ("text", "why"):
            assert len({option[part] for option in options}) == len(options)
        for option in options:
            assert re.search(r"(?:\S+\s+){6}\S+[.)]$", option["why"]), option
    places = {["right" in option for option in q["options"]].index(True) for q in questions}
    assert len(places) >= 3, "a reader must not guess from the place"


@each_quiz
def test_nothing_is_misspelt_in_the_file(path):
    whole = tomllib.loads(path.read_text(encoding="utf-8"))
    assert whole.keys() == {"questions"}
    for question in whole["questions"]:
        assert question.keys() == {"text", "options"}
        for option in question["options"]:
            assert option.keys() in ({"text", "why"}, {"text", "why", "right"})
            assert option.get("right", True) is True


@each_quiz
def test_texts_mean_the_same_in_html_and_in_markdown_and_hold_no_measured_number(path):
    for question in quizzes.read(path.stem):
        texts = [option[part] for option in question["options"] for part in ("text", "why")]
        for text in [question["text"], *texts]:
            bare = re.sub(r"<(em|sub|sup|code)>(.*?)</\1>", r"\2", text)
            assert not re.search(r"[<>&$*_`~\\|#]|\[|\]", bare), text
            for number in re.findall(r"\d+\.\d+", text):
                digits = number.strip("0.").replace(".", "")
                assert len(digits) <= 2 or number in EXACT, text


@each_quiz
def test_click_and_text_say_the_same(path):
    markdown = quiz_text(path)
    position = 0
    for question in quizzes.library_form(quizzes.read(path.stem)):
        wanted = [question["question"]]
        wanted += [f"- {answer['answer']}" for answer in question["answers"]]
        for answer in question["answers"]:
            letter = re.match(r"<b>.\)</b>", answer["answer"])[0]
            wanted.append(f"- {letter} {answer['feedback']}")
            assert answer["feedback"].startswith("Right. ") == answer["correct"]
        for text in wanted:
            # The lines of the file are those of neither.
            line = re.sub(r"<b>(.*?)</b>", r"**\1**", " ".join(text.split()))
            position = markdown.index(f"\n{line}\n", position) + len(line)
    assert markdown.count("<details>") == markdown.count("</details>") == 6


def test_every_lesson_shows_its_quiz_and_the_text_of_it():
    lessons = [made for made in notebooks() if "Quiz" in made.kind.closing]
    assert [path.stem for path in FILES] == [made.number for made in lessons]
    for made in lessons:
        text = made.source.read_text(encoding="utf-8")
        shown = re.findall(r'^quizzes\.show\("(\w+)"\)$', text, re.MULTILINE)
        marks = re.findall(r"^# <!-- quiz: (\w+) -->$", text, re.MULTILINE)
        assert shown == marks == [made.number]


@pytest.fixture
def shell():
    """A shell that takes what is displayed, as a notebook's does."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def shown(lesson):
    with capture_output() as captured:
        quizzes.show(lesson)
    return captured


def test_quiz_is_a_page_that_needs_nothing_from_outside(shell):
    (output,) = shown("01").outputs
    page = output.data["text/html"]
    (questions,) = re.findall(r"var questions\w+=(\[.*\]);\n", page)
    assert json.loads(questions) == quizzes.library_form(quizzes.read("01"))
    assert not re.search(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=", page)
    assert "(function (MathJax) {" in page
    assert "})(undefined);" in page
    assert re.search(r"MIT License\s+Copyright .* John M\. Shea", page)  # as the licence asks
    assert "stand below as text" in output.data["text/plain"]
    assert page.count("<div") == page.count("</div>")


def test_the_same_quiz_gives_the_same_page(shell):
    first, again = (shown("02").outputs[0].data["text/html"] for _ in range(2))
    assert first == again
    assert shown("03").outputs[0].data["text/html"] != first


def test_without_the_library_the_lesson_goes_on(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    quizzes.show("01")
    assert capsys.readouterr().out == (
        "The package jupyterquiz is not installed. The same questions stand below as text.\n"
    )


def test_unknown_lesson():
    for lesson in ("99", 1, "../01"):
        with pytest.raises(ValueError, match=r"^lesson must be one of .*'01', .*\. Received: "):
            quizzes.show(lesson)


def test_mark_becomes_the_quiz():
    markdown = with_quiz("Before.\n\n<!-- quiz: 01 -->\n\n## References", ROOT)
    assert markdown == f"Before.\n\n{quiz_text(FOLDER / '01.toml')}\n\n## References"
    assert with_quiz("No quiz here.", ROOT) == "No quiz here."


def test_mark_without_a_quiz_is_refused():
    text = with_quiz("# Title\n\n<!-- quiz: 99 -->", ROOT)
    (problem,) = notebook_checks.source_problems(new_notebook(cells=[new_markdown_cell(text)]))
    assert "there is no quiz 99.toml" in problem


def test_a_changed_quiz_changes_the_cells_of_its_lesson(tmp_path):
    root = tiny_course(
        tmp_path, **{"01_title": "# %% [markdown]\n# # Title\n#\n# <!-- quiz: 01 -->\n"}
    )
    quiz = root / "resnet_lesson" / "quizzes" / "01.toml"
    quiz.parent.mkdir()
    text = (FOLDER / "01.toml").read_text(encoding="utf-8")
    built = []
    for changed in (text, text.replace("over-fits", "overfits")):
        quiz.write_text(changed, encoding="utf-8")
        built += builder.from_source(notebooks(root)[0]).cells
    before, after = built
    assert "It over-fits" in before.source
    assert "It overfits" in after.source
    assert before.id != after.id
