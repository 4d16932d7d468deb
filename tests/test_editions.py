"""Exercise and solution from one source, and what the builder refuses of each."""

import build_notebooks as builder
import editions
import jupytext
import nbformat
import pytest
from notebook_kinds import EXERCISE, SOLUTION
from slide_cells import SOURCE_FORMAT
from tiny_course import tiny_course

GOOD = '''# %% [markdown]
# # Exercises
#
# ## Exercise 1: twice
#
# **easy, 5 minutes**

# %%
from resnet_lesson import checks


def twice(x):
    """Return two times x."""
    # ANSWER
    doubled = 2 * x
    return doubled
    # END


# %%
# STUB: a_number = None
# ANSWER
a_number = 21 * 2
# END

# %%
checks.twice(a_number and twice(a_number))

# %% [markdown] tags=["solution"]
# Because two times 42 is 84.
'''
CHECKS = """
def twice(answer):
    told = "not attempted" if answer is None else "passed" if answer == 84 else "not yet"
    print(f"twice: {told}.")
"""


def notebook(text):
    return jupytext.reads(text, fmt=SOURCE_FORMAT)


def problems(text):
    source = notebook(text)
    return editions.edition_problems(editions.edition(source, EXERCISE), source)


def test_an_exercise_has_stubs_and_a_solution_the_answers_and_no_marks():
    source = notebook(GOOD)
    before = nbformat.writes(source)
    opening, function, number, check = editions.edition(source, EXERCISE).cells
    assert function.source.endswith('    """Return two times x."""\n    ...  # your answer')
    assert number.source == "a_number = None"
    assert check.source == "checks.twice(a_number and twice(a_number))"
    assert "Exercise 1" in opening.source
    _, function, number, _, explanation = editions.edition(source, SOLUTION).cells
    assert function.source.endswith("    doubled = 2 * x\n    return doubled")
    assert number.source == "a_number = 21 * 2"
    assert explanation.source.startswith("Because")
    assert nbformat.writes(source) == before


def test_bad_exercise_is_refused_and_a_good_one_is_not():
    assert problems(GOOD) == []
    for old, new, expected in (
        ("**easy, 5 minutes**", "easy", "does not begin with its effort"),
        ("## Exercise 1", "## Exercise 2", "are not headed"),
        ("## Exercise 1: twice", "Twice", "are not headed"),
        ("a_number))", "a_number))  # doubled = 2 * x", "gives a line of an answer away: doubled"),
        ("    # END\n", "", "a mark of an answer is left over"),
    ):
        found = problems(GOOD.replace(old, new, 1))
        assert any(expected in problem for problem in found), found


def test_each_check_must_end_as_the_edition_says():
    for kind, said, expected in (
        (EXERCISE, "twice: not attempted. There is no answer yet.\n", None),
        (EXERCISE, "twice: passed. Good.\n", "twice should be not attempted: twice: passed."),
        (EXERCISE, "", "twice should be not attempted"),
        (SOLUTION, "twice: passed. Good.\n", None),
        (SOLUTION, "twice: not yet. No.\n", "twice should be passed: twice: not yet. No."),
    ):
        output = nbformat.v4.new_output("stream", text=said)
        cell = nbformat.v4.new_code_cell("checks.twice(f)\nchecks.summary('01')", outputs=[output])
        found = editions.outcome_problems(nbformat.v4.new_notebook(cells=[cell]), kind)
        assert (expected in found[0]) if expected else found == []
    found = editions.outcome_problems(nbformat.v4.new_notebook(), EXERCISE)
    assert found == ["no cell runs a check"]


@pytest.fixture
def build(tmp_path):
    """Build a source of exercises; return the exit code."""
    tiny_course(tmp_path)
    (tmp_path / "resnet_lesson" / "checks.py").write_text(CHECKS)

    def build(text):
        tiny_course(tmp_path, **{"exercises/01_twice": text})
        return builder.main(["--root", str(tmp_path)])

    return build


@pytest.mark.slow
def test_both_are_built_from_one_source(build, tmp_path, capsys):
    assert build(GOOD) == 0
    exercise, solution = (
        nbformat.read(tmp_path / "notebooks" / folder / "01_twice.ipynb", 4)
        for folder in ("exercises", "solutions")
    )
    assert "not attempted" in exercise.cells[-1].outputs[0].text
    assert "passed" in solution.cells[-2].outputs[0].text
    assert builder.orphans(tmp_path) == []
    capsys.readouterr()
    assert builder.main(["--root", str(tmp_path), "--check"]) == 0
    said = capsys.readouterr().out
    assert said == "exercises/01_twice: up to date\nsolutions/01_twice: up to date\n"


@pytest.mark.slow
def test_a_stub_that_passes_and_an_answer_that_fails_are_refused(build, tmp_path, capsys):
    assert build(GOOD.replace("twice(a_number and twice(a_number))", "twice(84)")) == 1
    said = capsys.readouterr().out
    assert "exercises/01_twice: not written" in said
    assert "twice should be not attempted: twice: passed." in said
    assert not (tmp_path / "notebooks" / "exercises" / "01_twice.ipynb").exists()
    assert build(GOOD.replace("2 * x\n", "3 * x\n")) == 1
    assert "twice should be passed: twice: not yet." in capsys.readouterr().out
