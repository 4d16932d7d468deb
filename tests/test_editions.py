"""Exercise and solution from one source, and what the builder refuses of each."""

import build_notebooks as builder
import editions
import jupytext
import nbformat
import pytest
from slide_cells import SOURCE_FORMAT

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
checks.twice(twice(a_number))

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


def sources(text, kind):
    return [cell.source for cell in editions.edition(notebook(text), kind).cells]


def test_exercise_has_stubs_and_no_solution_cells():
    opening, function, number, check = sources(GOOD, editions.EXERCISE)
    assert function.endswith('    """Return two times x."""\n    ...  # your answer')
    assert number == "a_number = None"
    assert check == "checks.twice(twice(a_number))"
    assert "Exercise 1" in opening


def test_solution_has_the_answers_and_no_marks():
    _, function, number, _, explanation = sources(GOOD, editions.SOLUTION)
    assert function.endswith("    doubled = 2 * x\n    return doubled")
    assert number == "a_number = 21 * 2"
    assert explanation.startswith("Because")


def test_source_stays_as_it_is():
    nb = notebook(GOOD)
    before = nbformat.writes(nb)
    editions.edition(nb, editions.EXERCISE)
    assert nbformat.writes(nb) == before


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("**easy, 5 minutes**", "easy", "does not begin with its effort"),
        ("## Exercise 1", "## Exercise 2", "are not headed"),
        ("## Exercise 1: twice", "Twice", "are not headed"),
        ("a_number))", "a_number))  # doubled = 2 * x", "gives a line of an answer away: doubled"),
        ("    # END\n", "", "a mark of an answer is left over"),
    ],
)
def test_bad_exercise_is_refused(old, new, expected):
    source = notebook(GOOD.replace(old, new, 1))
    found = editions.edition_problems(editions.edition(source, editions.EXERCISE), source)
    assert any(expected in problem for problem in found), found


def test_good_exercise_has_no_problems():
    source = notebook(GOOD)
    assert not editions.edition_problems(editions.edition(source, editions.EXERCISE), source)


@pytest.mark.parametrize(
    ("kind", "said", "expected"),
    [
        ("exercise", "twice: not attempted. There is no answer yet.\n", None),
        ("exercise", "twice: passed. Good.\n", "twice should be not attempted: twice: passed."),
        ("exercise", "", "twice should be not attempted"),
        ("solution", "twice: passed. Good.\n", None),
        ("solution", "twice: not yet. No.\n", "twice should be passed: twice: not yet. No."),
    ],
)
def test_outcomes(kind, said, expected):
    output = nbformat.v4.new_output("stream", text=said)
    cell = nbformat.v4.new_code_cell("checks.twice(f)\nchecks.summary('01')", outputs=[output])
    found = editions.outcome_problems(nbformat.v4.new_notebook(cells=[cell]), kind)
    assert (expected in found[0]) if expected else found == []


def test_an_edition_without_checks_is_refused():
    assert editions.outcome_problems(nbformat.v4.new_notebook(), "exercise") == [
        "no cell runs a check"
    ]


@pytest.fixture
def course(tmp_path):
    (tmp_path / "notebooks" / "src" / "exercises").mkdir(parents=True)
    (tmp_path / "resnet_lesson").mkdir()
    (tmp_path / "resnet_lesson" / "__init__.py").write_text("")
    (tmp_path / "resnet_lesson" / "checks.py").write_text(CHECKS)

    def build(text):
        (tmp_path / "notebooks" / "src" / "exercises" / "01_twice.py").write_text(text)
        return builder.main(["--root", str(tmp_path)])

    return tmp_path, build


@pytest.mark.slow
def test_both_are_built_from_one_source(course, capsys):
    root, build = course
    assert build(GOOD.replace("twice(twice(a_number))", "twice(a_number and twice(a_number))")) == 0
    exercise, solution = (
        nbformat.read(root / "notebooks" / folder / "01_twice.ipynb", 4)
        for folder in ("exercises", "solutions")
    )
    assert "not attempted" in exercise.cells[-1].outputs[0].text
    assert "passed" in solution.cells[-2].outputs[0].text
    assert builder.orphans(root) == []
    capsys.readouterr()
    assert builder.main(["--root", str(root), "--check"]) == 0
    assert (
        capsys.readouterr().out
        == "exercises/01_twice: up to date\nsolutions/01_twice: up to date\n"
    )
    (root / "notebooks" / "solutions" / "02_lost.ipynb").write_text("{}")
    assert [path.name for path in builder.orphans(root)] == ["02_lost.ipynb"]


@pytest.mark.slow
def test_a_stub_that_passes_and_an_answer_that_fails_are_refused(course, capsys):
    root, build = course
    passes = GOOD.replace("twice(twice(a_number))", "twice(84)")
    assert build(passes) == 1
    said = capsys.readouterr().out
    assert "exercises/01_twice: not written" in said
    assert "twice should be not attempted: twice: passed." in said
    assert not (root / "notebooks" / "exercises" / "01_twice.ipynb").exists()
    assert (
        build(GOOD.replace("2 * x\n", "3 * x\n").replace("twice(a_n", "twice(a_number and a_n"))
        == 1
    )
    assert "twice should be passed: twice: not yet." in capsys.readouterr().out
