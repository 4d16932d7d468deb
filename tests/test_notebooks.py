"""The notebooks that readers open, the checks that guard them, and the builder.

The checks are proved by fixtures: one good notebook that passes, and one notebook for each check
that is broken on purpose and fails.
"""

import copy
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import build_notebooks as builder
import editions
import nbformat
import notebook_checks as checks
import notebook_kernel as kernel
import pytest

pytestmark = pytest.mark.slow  # most of these run kernels

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = Path(__file__).resolve().parent / "fixtures" / "notebooks"
BUILDER = ROOT / "tools" / "build_notebooks.py"

TINY = "# %% [markdown]\n# # Tiny\n\n# %%\nprint({})\n"
OLD = b"the old notebook\n"


# --- the committed notebooks -------------------------------------------------------------------

COURSE = builder.pairs()
each_lesson = pytest.mark.parametrize("pair", COURSE, ids=lambda pair: pair.name)


def test_sources_and_notebooks_belong_together():
    assert COURSE, "notebooks/src has no sources"
    missing = [pair.name for pair in COURSE if not pair.target.exists()]
    assert not missing, "no notebook for these sources, run `make notebooks`"
    assert not builder.orphans(), "these notebooks have no source in notebooks/src"


@each_lesson
def test_notebook_belongs_to_its_source(pair):
    reasons = {entry.pair: set(entry.reasons) for entry in builder.status()}[pair]
    # A changed package is no error here: the notebooks are rebuilt before a change is finished.
    assert not reasons - {builder.PACKAGE}, "out of date, run `make notebooks`"


@each_lesson
def test_notebook_has_no_problems(pair):
    nb = nbformat.read(pair.target, as_version=4)
    assert checks.problems(nb, builder.private_texts()) == []


@each_lesson
def test_lesson_or_exercise_has_its_parts(pair):
    assert builder.text_problems(pair, nbformat.read(pair.target, as_version=4)) == []


@pytest.mark.parametrize("pair", [pair for pair in COURSE if pair.edition], ids=lambda p: p.name)
def test_exercises_are_open_and_solutions_pass(pair):
    nb = nbformat.read(pair.target, as_version=4)
    assert editions.outcome_problems(nb, pair.edition) == []


# --- helpers -----------------------------------------------------------------------------------


def make_course(root: Path, **sources: str) -> Path:
    """Write a course with a one-line package and the given sources."""
    (root / "notebooks" / "src").mkdir(parents=True)
    (root / "resnet_lesson").mkdir()
    (root / "resnet_lesson" / "__init__.py").write_text("VALUE = 1\n")
    for name, text in sources.items():
        (root / "notebooks" / "src" / f"{name}.py").write_text(text)
    return root


def source(root: Path, name: str) -> Path:
    return root / "notebooks" / "src" / f"{name}.py"


def notebook(root: Path, name: str) -> Path:
    return root / "notebooks" / f"{name}.ipynb"


def fixture(name: str) -> str:
    return (FIXTURES / f"{name}.py").read_text()


def command(root: Path, *arguments: str) -> int:
    """Run the builder's command line in this process; return its exit code."""
    return builder.main(["--root", str(root), *arguments])


def refused(root: Path, name: str, text: str) -> str:
    """Build a source that must be refused, and return why; nothing may be written."""
    make_course(root, **{name: text})
    notebook(root, name).write_bytes(OLD)
    pair = builder.pairs(root)[0]
    with pytest.raises(kernel.Refused) as caught:
        builder.build(pair, root)
    assert_untouched(root, name)
    return str(caught.value)


def assert_untouched(root: Path, name: str) -> None:
    assert notebook(root, name).read_bytes() == OLD
    left = {path.name for path in (root / "notebooks").iterdir()}
    assert left == {"src", f"{name}.ipynb"}


@pytest.fixture(scope="module")
def good_course(tmp_path_factory) -> Path:
    """A course whose only notebook is the good fixture, built once."""
    root = make_course(tmp_path_factory.mktemp("good"), good=fixture("good"))
    assert command(root) == 0
    return root


@pytest.fixture
def good(good_course) -> nbformat.NotebookNode:
    return nbformat.read(notebook(good_course, "good"), as_version=4)


# --- the checks --------------------------------------------------------------------------------


def test_good_notebook_passes_every_check(good):
    assert checks.problems(good, builder.private_texts()) == []
    assert checks.lesson_problems(good) == []


def code(nb: nbformat.NotebookNode, number: int) -> nbformat.NotebookNode:
    """Return the code cell with this number, from zero."""
    return [cell for cell in nb.cells if cell.cell_type == "code"][number]


def clear_outputs(nb):
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def clear_outputs_but_keep_counts(nb):
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = []


def lose_one_output(nb):
    code(nb, 0).outputs = []


def lose_a_count(nb):
    code(nb, 1).execution_count = None


def run_out_of_order(nb):
    code(nb, 1).execution_count, code(nb, 2).execution_count = 3, 2


def drop_alt_metadata(nb):
    code(nb, 1).outputs[0].metadata = {}


def shorten_alt(nb):
    code(nb, 1).outputs[0].metadata["image/png"]["alt"] = "a figure"


def hide_alt(nb):
    del code(nb, 1).outputs[1]


def show_another_text(nb):
    code(nb, 1).outputs[1].data["text/markdown"] = "*Figure: something else.*"


def show_svg_without_alt(nb):
    data = {"image/svg+xml": "<svg/>"}
    code(nb, 0).outputs.append(nbformat.v4.new_output("display_data", data))


def show_html_image_without_alt(nb):
    data = {"text/html": "<img src='x.png'>"}
    code(nb, 0).outputs.append(nbformat.v4.new_output("display_data", data))


def show_a_widget(nb):
    data = {checks.WIDGET: {"model_id": "a16d", "version_major": 2, "version_minor": 0}}
    code(nb, 0).outputs.append(nbformat.v4.new_output("display_data", data))


def link_markdown_image_without_alt(nb):
    nb.cells[0].source += "\n\n![](figure.png)"


def show_no_readme_figure(nb):
    code(nb, 1).outputs = [nbformat.v4.new_output("stream", text="no figure")]


def write_to_stderr(nb):
    noise = nbformat.v4.new_output("stream", name="stderr", text="W0000 slow")
    code(nb, 0).outputs.append(noise)


def leave_an_error(nb):
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="bad", traceback=[])
    code(nb, 0).outputs.append(error)


def say(text: str) -> Callable[[nbformat.NotebookNode], None]:
    def print_it(nb):
        code(nb, 0).outputs[0].text = text

    return print_it


def write_source(text: str) -> Callable[[nbformat.NotebookNode], None]:
    def append(nb):
        code(nb, 0).source += "\n" + text

    return append


def add_markdown(text: str) -> Callable[[nbformat.NotebookNode], None]:
    def append(nb):
        nb.cells.append(nbformat.v4.new_markdown_cell(text, id="added"))

    return append


def empty_a_cell(nb):
    code(nb, 0).source = ""


def repeat_an_id(nb):
    nb.cells[1].id = nb.cells[0].id


def use_an_old_format(nb):
    nb.nbformat_minor = 4


def break_the_format(nb):
    code(nb, 0).outputs[0].pop("name")


BROKEN = [
    (clear_outputs, "execution count is None"),
    (clear_outputs_but_keep_counts, "no cell has an output"),
    (lose_one_output, "has lost its output"),
    (lose_a_count, "execution count is None and should be 2"),
    (run_out_of_order, "execution count is 3 and should be 2"),
    (drop_alt_metadata, "without a text alternative"),
    (shorten_alt, "without a text alternative"),
    (hide_alt, "not visible"),
    (show_another_text, "not visible"),
    (show_svg_without_alt, "image/svg+xml output without a text alternative"),
    (show_html_image_without_alt, "HTML image without a text alternative"),
    (show_a_widget, "shows a widget"),
    (link_markdown_image_without_alt, "an image without a text alternative"),
    (show_no_readme_figure, "must show one PNG; it shows 0"),
    (write_to_stderr, "writes to stderr: W0000 slow"),
    (leave_an_error, "raises ValueError: bad"),
    (say("saved to /home/somebody/model.keras"), "machine path"),
    (say("saved to /Users/somebody/model.keras"), "machine path"),
    (say("saved to /root/model.keras"), "machine path"),
    (say("saved to /tmp/model.keras"), "machine path"),
    (say("saved to C:\\Users\\somebody"), "machine path"),
    (say("/opt/env/lib/python3.11/site-packages/keras"), "machine path"),
    (say("ipykernel_1234/567.py"), "machine path"),
    (say("\x1b[0;32mFile ~/course/blocks.py:7\x1b[0m"), "machine path"),
    (say(f"saved to {ROOT / 'model.keras'}"), "machine path"),
    (say("<Dense object at 0x7f3a5c1b2d90>"), "memory address"),
    (write_source("save('/tmp/model.keras')"), "names a machine path"),
    (write_source("x = 1\n" * 25), "at most 25"),
    (add_markdown("# Another title"), "one heading of level 1"),
    (add_markdown("#### Too deep"), "jumps from level 2 to 4"),
    (empty_a_cell, "empty code cell"),
    (repeat_an_id, "same id"),
    (use_an_old_format, "should be 4.5"),
    (break_the_format, "not a valid notebook"),
]


@pytest.mark.parametrize(
    ("break_it", "expected"), BROKEN, ids=[f"{how.__name__}-{why}" for how, why in BROKEN]
)
def test_broken_notebook_fails(good, break_it, expected):
    break_it(good)
    found = checks.problems(good, [str(ROOT)])
    assert any(expected in problem for problem in found), found


@pytest.mark.parametrize(
    "text",
    [
        "see https://example.org/home/page and /content/sample_data",
        "batch/head/root/tmp",
        "ratio 3/4, shape (N, H, W, C), 0x10",
    ],
)
def test_harmless_text_is_no_machine_path(good, text):
    code(good, 0).outputs[0].text = text
    assert checks.problems(good, ["/work/course"]) == []


def test_a_name_is_found_unless_the_author_uses_the_word(good):
    code(good, 0).outputs[0].text = "trained by mark"
    assert any("mark" in problem for problem in checks.problems(good, ["mark"]))
    good.cells[0].source += "\n\nThe dots mark the seeds."
    assert checks.problems(good, ["mark"]) == []


def test_an_error_is_welcome_where_the_author_says_so(good):
    leave_an_error(good)
    code(good, 0).metadata.tags = ["raises-exception"]
    assert checks.problems(good) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Objectives", "Aims", "Objectives"),
        ("Prerequisites", "Before", "Prerequisites"),
        ("to read", "to look at", "reading time"),
        ("to compute", "to run", "computing time"),
        ("## Summary", "## End", "Summary"),
        ("## Quiz", "**Quiz**", "Quiz"),
        ("## References", "", "References"),
        ("## Summary", "## References and summary", "not in the order"),
    ],
)
def test_lesson_without_a_part_fails(good, old, new, expected):
    if "order" in expected:
        good.cells[-1].source = "## Quiz\n\n## Summary\n\n## References"
    for cell in good.cells:
        cell.source = cell.source.replace(old, new)
    assert any(expected in problem for problem in checks.lesson_problems(good))


def nbval(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=60"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_nbval_passes_the_good_notebook(good_course, tmp_path):
    shutil.copy(notebook(good_course, "good"), tmp_path)
    result = nbval(tmp_path)
    assert result.returncode == 0, result.stdout
    assert "3 passed" in result.stdout


def test_nbval_fails_on_a_failing_verdict(tmp_path):
    pair = builder.Pair(FIXTURES / "failing_verdict.py", tmp_path / "x.ipynb", tmp_path / "x.png")
    nbformat.write(builder.from_source(pair), pair.target)
    result = nbval(tmp_path)
    assert result.returncode == 1, result.stdout
    assert "1 failed, 1 passed" in result.stdout
    assert "The claim does not hold" in result.stdout


# --- the builder: what it writes ---------------------------------------------------------------


def test_second_build_does_nothing(good_course, capsys):
    before = notebook(good_course, "good").stat().st_mtime_ns
    assert command(good_course) == 0
    assert capsys.readouterr().out == "good: up to date\n"
    assert notebook(good_course, "good").stat().st_mtime_ns == before


def test_forced_build_writes_the_same_bytes(good_course, capsys):
    before = notebook(good_course, "good").read_bytes()
    assert command(good_course, "--force") == 0
    assert "good: written" in capsys.readouterr().out
    assert notebook(good_course, "good").read_bytes() == before


def test_written_notebook_is_clean(good_course):
    text = notebook(good_course, "good").read_text()
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
    raw = json.loads(text)
    metadata = raw["metadata"]
    assert set(metadata) == {"kernelspec", "language_info", "resnet_lesson"}
    assert metadata["kernelspec"] == builder.KERNELSPEC
    assert "version" not in metadata["language_info"]
    assert metadata["resnet_lesson"] == {
        "source_sha256": builder.source_hash(source(good_course, "good")),
        "package_sha256": builder.package_hash(good_course),
    }
    hidden, figure, verdict = (cell for cell in raw["cells"] if cell["cell_type"] == "code")
    assert hidden["metadata"] == {"tags": ["hide"]}
    assert figure["metadata"] == {"tags": ["readme-figure"]}
    assert verdict["metadata"] == {}


def test_readme_figure_is_the_notebooks_output(good_course, good, capsys):
    png, alt = builder.readme_figure(good)
    figure = builder.pairs(good_course)[0].figure
    assert figure == good_course / "docs" / "images" / "good.png"
    assert figure.read_bytes() == png
    assert png.startswith(b"\x89PNG")
    assert alt == "One red pixel, which stands for a figure."

    figure.write_bytes(b"another picture")
    assert command(good_course, "--check") == 1
    assert "README figure differs" in capsys.readouterr().out
    before = notebook(good_course, "good").stat().st_mtime_ns
    assert command(good_course) == 0
    assert figure.read_bytes() == png
    assert notebook(good_course, "good").stat().st_mtime_ns == before, "no need to execute it"


def test_cell_ids_depend_on_name_text_and_occurrence(tmp_path):
    root = make_course(tmp_path, **{"01_a": TINY.format(1) * 2, "02_b": TINY.format(1)})
    first, second = (builder.from_source(pair) for pair in builder.pairs(root))
    ids = [cell.id for cell in [*first.cells, *second.cells]]
    assert len(set(ids)) == 6
    source(root, "01_a").write_text("# %%\nnew = 1\n\n" + TINY.format(1) * 2)
    longer = builder.from_source(builder.pairs(root)[0])
    assert [cell.id for cell in longer.cells[1:]] == ids[:4], "a new cell leaves the others alone"


def test_blank_lines_leave_no_notes_in_the_metadata(tmp_path):
    root = make_course(tmp_path, a="# %%\nx = 1\n# %%\ny = 2\n\n\n\n# %%\nz = 3\n")
    cells = builder.from_source(builder.pairs(root)[0]).cells
    assert [cell.metadata for cell in cells] == [{}, {}, {}]


def test_lines_of_a_script_stay_as_they_are(tmp_path):
    script = "```bash\n#!/bin/bash\n#SBATCH --nodes=2\n!ls\n```"
    commented = "\n".join(f"# {line}" for line in script.splitlines())
    root = make_course(tmp_path, a=f"# %% [markdown]\n{commented}\n\n# %%\n# !ls\nx = 1\n")
    cells = builder.from_source(builder.pairs(root)[0]).cells
    assert [cell.source for cell in cells] == [script, "# !ls\nx = 1"]


def test_hash_ignores_the_kind_of_line_end(tmp_path):
    path = tmp_path / "a.py"
    path.write_bytes(b"a = 1\nb = 2\n")
    before = builder.source_hash(path)
    path.write_bytes(b"a = 1\r\nb = 2\r\n")
    assert builder.source_hash(path) == before
    path.write_bytes(b"a = 1\nb = 3\n")
    assert builder.source_hash(path) != before


def test_package_hash_sees_names_and_texts(tmp_path):
    root = make_course(tmp_path)
    seen = {builder.package_hash(root)}
    init = root / "resnet_lesson" / "__init__.py"
    init.write_text("VALUE = 2\n")
    seen.add(builder.package_hash(root))
    init.rename(init.with_name("other.py"))
    seen.add(builder.package_hash(root))
    assert len(seen) == 3
    (root / "resnet_lesson" / "notes.txt").write_text("no module")
    assert builder.package_hash(root) in seen


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        (["a", "b\n"], "ab\n"),
        (["10%\r50%\r100%\n", "done\n"], "100%\ndone\n"),
        (["windows\r\n", "line\n"], "windows\nline\n"),
        (["left\r"], "left\r"),
    ],
)
def test_streams_are_merged_and_carriage_returns_followed(pieces, expected):
    outputs = [nbformat.v4.new_output("stream", text=piece) for piece in pieces]
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])
    kernel._tidy(nb)
    assert [output.text for output in nb.cells[0].outputs] == [expected]


def test_progress_bars_leave_no_output(tmp_path):
    text = (
        "# %%\nfrom tqdm import tqdm\nfrom tqdm.notebook import tqdm as widget\n"
        "print('before')\nfor _ in tqdm(range(3)):\n    pass\n"
        "for _ in widget(range(3), leave=False):\n    pass\nprint('after')\n"
    )
    root = make_course(tmp_path, bar=text)
    nb = builder.from_source(builder.pairs(root)[0])
    kernel.execute(nb, root / "notebooks", root, timeout=60)
    assert [output.text for output in nb.cells[0].outputs] == ["before\nafter\n"]


def test_streams_on_both_sides_of_a_figure_stay_apart():
    stream = nbformat.v4.new_output("stream", text="a\n")
    figure = nbformat.v4.new_output("display_data", {"text/plain": "figure"})
    outputs = [stream, figure, copy.deepcopy(stream)]
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])
    kernel._tidy(nb)
    assert [output.output_type for output in nb.cells[0].outputs] == [
        "stream",
        "display_data",
        "stream",
    ]


def test_kernel_is_this_interpreter_in_a_settled_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("MPLBACKEND", "agg")
    names = ["TQDM_DISABLE", "PYTHONHASHSEED", "MPLBACKEND", "PYTHONWARNINGS"]
    text = (
        "# %%\nimport os, sys, resnet_lesson\n"
        f"[sys.executable, os.getcwd(), resnet_lesson.__file__, *map(os.getenv, {names})]\n"
    )
    root = make_course(tmp_path, probe=text)
    nb = builder.from_source(builder.pairs(root)[0])
    kernel.execute(nb, root / "notebooks", root, timeout=60)
    assert eval(nb.cells[0].outputs[0].data["text/plain"]) == [
        sys.executable,
        str(root / "notebooks"),
        str(root / "resnet_lesson" / "__init__.py"),
        "1",
        "0",
        "module://matplotlib_inline.backend_inline",
        None,
    ]


# --- the builder: what it rebuilds -------------------------------------------------------------


def test_only_what_is_out_of_date_is_rebuilt(tmp_path, capsys, monkeypatch):
    built = []

    def pretend(nb, folder, root, timeout):
        built.append(nb.cells[1].source)
        for cell in nb.cells[1:]:
            cell.execution_count = 1
            cell.outputs = [nbformat.v4.new_output("stream", text="1\n")]

    monkeypatch.setattr(builder, "execute", pretend)

    def rebuilt(*arguments: str) -> list[str]:
        built.clear()
        assert command(root, *arguments) == 0
        return list(built)

    root = make_course(tmp_path, **{"01_a": TINY.format(1), "02_b": TINY.format(2)})
    assert command(root, "--check") == 1
    assert capsys.readouterr().out == "01_a: missing\n02_b: missing\n"
    assert rebuilt() == ["print(1)", "print(2)"]
    assert rebuilt() == []
    assert rebuilt("02", "--force") == ["print(2)"]

    source(root, "01_a").write_text(TINY.format(3))
    assert command(root, "--check") == 1
    assert "01_a: source changed\n02_b: up to date\n" in capsys.readouterr().out
    assert command(root, "02", "--check") == 0
    assert rebuilt("02") == []
    assert rebuilt() == ["print(3)"]

    (root / "resnet_lesson" / "__init__.py").write_text("VALUE = 2\n")
    capsys.readouterr()
    assert command(root, "--check") == 0, "a changed package alone is only listed"
    assert capsys.readouterr().out == "01_a: package changed\n02_b: package changed\n"
    assert command(root, "--check-package") == 1
    assert rebuilt() == ["print(3)", "print(2)"]
    assert command(root, "--check-package") == 0


def reasons(root: Path) -> tuple[str, ...]:
    return builder.status(root)[0].reasons


def test_stale_and_damaged_notebooks_are_noticed(good_course, tmp_path):
    root = shutil.copytree(good_course, tmp_path / "course")
    assert reasons(root) == ()
    target = notebook(root, "good")
    original = target.read_bytes()

    target.write_bytes(original.replace(b"total = 1 + 1", b"total = 1 + 2"))
    assert reasons(root) == (builder.EDITED,)
    for damaged in (b"", original[:1000], b"{}", b"[]", original.replace(b"source_sha", b"x")):
        target.write_bytes(damaged)
        assert reasons(root) == (builder.UNREADABLE,)
    target.unlink()
    assert reasons(root) == (builder.MISSING,)

    target.write_bytes(original)
    source(root, "good").write_text(fixture("good") + "# A last word.\n")
    assert reasons(root) == (builder.SOURCE,)
    assert command(root, "--check") == 1


def test_notebook_without_source_is_noticed(tmp_path, capsys):
    root = make_course(tmp_path)
    notebook(root, "09_lost").write_bytes(OLD)
    assert builder.orphans(root) == [notebook(root, "09_lost")]
    assert command(root, "--check") == 1
    assert "09_lost: has no source" in capsys.readouterr().out


def test_unknown_name_says_what_there_is(tmp_path, capsys):
    root = make_course(tmp_path, **{"01_a": TINY.format(1)})
    assert command(root, "07") == 2
    assert capsys.readouterr().err == "No notebook starts with '07'; there are: 01_a.\n"


# --- the builder: what it refuses --------------------------------------------------------------


def test_failing_cell_leaves_the_old_notebook(tmp_path, capsys):
    root = make_course(tmp_path, bad=fixture("failing_verdict"), zeta=TINY.format(1))
    notebook(root, "bad").write_bytes(OLD)
    assert command(root) == 1
    assert notebook(root, "bad").read_bytes() == OLD
    assert notebook(root, "zeta").exists(), "one refusal does not stop the others"
    said = capsys.readouterr().out
    assert "bad: not written, the old file is unchanged" in said
    assert "cell 3 (assert total == 3" in said
    assert "raises AssertionError: The claim does not hold: the total is not 3." in said
    assert "\x1b" not in said
    assert said.endswith("1 not written: bad\n")


def test_stderr_is_refused(tmp_path):
    said = refused(tmp_path, "noise", fixture("stderr_noise"))
    assert "cell 2 (import warnings): writes to stderr" in said
    assert "a deprecated call" in said


def test_machine_path_is_refused(tmp_path):
    said = refused(tmp_path, "path", fixture("machine_path"))
    assert "cell 2 (import tempfile): prints a machine path" in said


def test_missing_text_alternative_is_refused(tmp_path):
    said = refused(tmp_path, "picture", fixture("missing_alt"))
    assert "image/png output without a text alternative" in said


def test_dead_kernel_is_noticed_at_once(tmp_path):
    start = time.monotonic()
    said = refused(tmp_path, "dead", fixture("dead_kernel"))
    assert "cell 2 (import os): the kernel died\n    the last words" in said
    assert time.monotonic() - start < 20


def test_endless_cell_is_ended(tmp_path):
    root = make_course(tmp_path, endless="# %%\nwhile True:\n    pass\n")
    nb = builder.from_source(builder.pairs(root)[0])
    with pytest.raises(kernel.Refused, match="takes longer than 1 seconds"):
        kernel.execute(nb, root / "notebooks", root, timeout=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# %% [markdown]\n# # Long\n\n# %%\n" + "x = 1\n" * 26, "26 lines of code"),
        ("# %% [markdown]\n# # Path\n\n# %%\nopen('/home/me/x')\n", "names a machine path"),
        ("# %% [markdown]\n# ## No title\n\n# %%\nprint(1)\n", "one heading of level 1"),
    ],
)
def test_bad_source_is_refused_before_it_runs(tmp_path, monkeypatch, text, expected):
    monkeypatch.setattr(builder, "execute", lambda *_: pytest.fail("executed"))
    assert expected in refused(tmp_path, "bad", text)


@pytest.mark.parametrize("call", ["os.replace", "pathlib.Path.write_bytes"])
def test_full_disk_leaves_the_old_notebook(tmp_path, capsys, monkeypatch, call):
    root = make_course(tmp_path, **{"01_a": TINY.format(1)})
    notebook(root, "01_a").write_bytes(OLD)
    monkeypatch.setattr(builder, "execute", lambda *_: None)
    monkeypatch.setattr(builder, "problems", lambda *_: [])

    def fail(*_):
        if call != "os.replace":
            # A full disk keeps the first part of a file.
            (root / "notebooks" / f".01_a.ipynb.{os.getpid()}.tmp").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(call, fail)
        assert command(root) == 1
    assert_untouched(root, "01_a")
    assert os.strerror(errno.ENOSPC) in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a process")
def test_interrupt_ends_the_kernel_and_leaves_the_old_notebook(tmp_path):
    text = (
        "# %% [markdown]\n# # Slow\n\n# %%\nimport os, pathlib, time\n"
        "pathlib.Path('../started').write_text(f'{os.getpid()}\\n')\ntime.sleep(100)\n"
    )
    root = make_course(tmp_path, slow=text)
    notebook(root, "slow").write_bytes(OLD)
    process = subprocess.Popen(
        [sys.executable, str(BUILDER), "--root", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        started = root / "started"
        wait_until(lambda: started.exists() and started.read_text().endswith("\n"))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors == "\nInterrupted. The notebook in work was not written.\n"
    assert_untouched(root, "slow")
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
