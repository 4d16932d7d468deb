"""The notebooks that readers open, the checks that guard them, and the builder.

The checks are proved by fixtures: one good notebook that passes, and one notebook for each check
that is broken on purpose and fails.
"""

import errno
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import build_notebooks as builder
import editions
import nbformat
import notebook_checks as checks
import notebook_kernel as kernel
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from notebook_kinds import DEEPER, KINDS, LESSON, ROOT, notebooks
from tiny_course import TINY, tiny_course

pytestmark = pytest.mark.slow  # most of these run kernels

FIXTURES = Path(__file__).resolve().parent / "fixtures" / "notebooks"
OLD = b"the old notebook\n"


# --- the committed notebooks -------------------------------------------------------------------

COURSE = notebooks()
status = functools.cache(builder.status)


def test_every_notebook_has_a_source_and_is_run_by_make_test():
    assert not builder.orphans(), "these notebooks have no source in notebooks/src"
    (patterns,) = re.findall(
        r"^NOTEBOOKS = .*wildcard (.*)\)$", (ROOT / "Makefile").read_text(), re.M
    )
    run = {path for pattern in patterns.split() for path in ROOT.glob(pattern)}
    assert run == {made.path for made in COURSE}
    assert {made.kind for made in COURSE} == set(KINDS)


@pytest.mark.parametrize("made", COURSE, ids=lambda made: made.name)
def test_notebook_belongs_to_its_source_and_has_no_problems(made):
    reasons = set(status()[made])
    # A changed package is no error here: the notebooks are rebuilt before a change is finished.
    assert not reasons - {builder.PACKAGE}, "out of date, run `make notebooks`"
    nb = nbformat.read(made.path, as_version=4)
    assert checks.problems(nb, builder.private_texts()) == []
    assert builder.text_problems(made, nb) == []
    if made.kind.outcome:
        assert editions.outcome_problems(nb, made.kind) == []


@pytest.mark.parametrize(
    "made", [made for made in COURSE if made.kind is DEEPER], ids=lambda made: made.name
)
def test_a_deeper_notebook_and_its_lesson_link_to_each_other(made):
    (lesson,) = (one for one in COURSE if one.kind is LESSON and one.number == made.number)
    assert f"]({made.name}.ipynb)" in lesson.source.read_text(encoding="utf-8")
    assert f"](../{lesson.name}.ipynb)" in made.source.read_text(encoding="utf-8")


# --- helpers -----------------------------------------------------------------------------------


def source(root, name):
    return root / "notebooks" / "src" / f"{name}.py"


def notebook(root, name):
    return root / "notebooks" / f"{name}.ipynb"


def fixture(name):
    return (FIXTURES / f"{name}.py").read_text()


def command(root, *arguments):
    """Run the builder's command line in this process; return its exit code."""
    return builder.main(["--root", str(root), *arguments])


def made_from(root, text):
    """Return the notebook of a source that is the only one of its course."""
    return builder.from_source(notebooks(tiny_course(root, a=text))[0])


def refused(root, name, text):
    """Build a source that must be refused, and return why; nothing may be written."""
    tiny_course(root, **{name: text})
    notebook(root, name).write_bytes(OLD)
    with pytest.raises(kernel.Refused) as caught:
        builder.build(notebooks(root)[0])
    assert_untouched(root, name)
    return str(caught.value)


def assert_untouched(root, name):
    assert notebook(root, name).read_bytes() == OLD
    assert {path.name for path in (root / "notebooks").iterdir()} == {"src", f"{name}.ipynb"}


@pytest.fixture(scope="module")
def good_course(tmp_path_factory):
    """A course whose only notebook is the good fixture, built once."""
    root = tiny_course(tmp_path_factory.mktemp("good"), good=fixture("good"))
    assert command(root) == 0
    return root


@pytest.fixture
def good(good_course):
    return nbformat.read(notebook(good_course, "good"), as_version=4)


# --- the checks --------------------------------------------------------------------------------


def code(nb, number):
    """Return the code cell with this number, from zero."""
    return [cell for cell in nb.cells if cell.cell_type == "code"][number]


# Each of the following returns a function that breaks the good notebook in one way.


def cell(number, **changed):
    return lambda nb: code(nb, number).update(changed)


def every_cell(**changed):
    return lambda nb: [code(nb, number).update(changed) for number in range(3)]


def figure(**changed):
    return lambda nb: code(nb, 1).outputs[0].update(changed)


def caption(text):
    return lambda nb: code(nb, 1).outputs[1].data.update({"text/markdown": text})


def shown(kind, content):
    return lambda nb: code(nb, 0).outputs.append(new_output("display_data", {kind: content}))


def written(stream, text):
    return lambda nb: code(nb, 0).outputs.append(new_output("stream", name=stream, text=text))


def line_of_code(text):
    return lambda nb: code(nb, 0).update(source=f"{code(nb, 0).source}\n{text}")


def prose(text):
    return lambda nb: nb.cells.append(new_markdown_cell(text, id="added"))


def raised(nb):
    error = new_output("error", ename="ValueError", evalue="bad", traceback=[])
    code(nb, 0).outputs.append(error)


WIDGET = {"model_id": "a16d", "version_major": 2, "version_minor": 0}
BROKEN = [
    (every_cell(outputs=[], execution_count=None), "execution count is None"),
    (every_cell(outputs=[]), "no cell has an output"),
    (cell(0, outputs=[]), "has lost its output"),
    (cell(1, execution_count=None), "execution count is None and should be 2"),
    (cell(1, execution_count=3), "execution count is 3 and should be 2"),
    (figure(metadata={}), "without a text alternative"),
    (figure(metadata={"image/png": {"alt": "a figure"}}), "without a text alternative"),
    (lambda nb: code(nb, 1).outputs.pop(), "not there"),
    (caption("Something else."), "not there"),
    (shown("image/svg+xml", "<svg/>"), "image/svg+xml output without a text alternative"),
    (shown("text/html", "<img src='x.png'>"), "HTML image without a text alternative"),
    (shown(checks.WIDGET, WIDGET), "shows a widget"),
    (prose("![](figure.png)"), "an image without a text alternative"),
    (cell(1, outputs=[new_output("stream", text="none")]), "must show one PNG; it shows 0"),
    (written("stderr", "W0000 slow"), "writes to stderr: W0000 slow"),
    (raised, "raises ValueError: bad"),
    (written("stdout", "<Dense object at 0x7f3a5c1b2d90>"), "memory address"),
    (line_of_code("save('/tmp/model.keras')"), "names a machine path"),
    (line_of_code("x = 1\n" * 25), "at most 25"),
    (cell(0, source=""), "empty code cell"),
    (prose("# Another title"), "one heading of level 1"),
    (prose("#### Too deep"), "jumps from level 2 to 4"),
    (lambda nb: nb.cells[1].update(id=nb.cells[0].id), "same id"),
    (lambda nb: nb.update(nbformat_minor=4), "should be 4.5"),
    (lambda nb: code(nb, 0).outputs[0].pop("name"), "not a valid notebook"),
]


def test_good_notebook_passes_every_check(good):
    assert checks.problems(good, builder.private_texts()) == []
    assert checks.lesson_problems(good, LESSON) == []


@pytest.mark.parametrize(("break_it", "expected"), BROKEN, ids=[why for _, why in BROKEN])
def test_broken_notebook_fails(good, break_it, expected):
    break_it(good)
    found = checks.problems(good, [str(ROOT)])
    assert any(expected in problem for problem in found), found


def test_machine_paths_are_told_from_harmless_text(good):
    bad = [
        *(f"saved to /{folder}/model.keras" for folder in ("home/me", "Users/me", "root", "tmp")),
        "saved to C:\\Users\\somebody",
        "/opt/env/lib/python3.11/site-packages/keras",
        "ipykernel_1234/567.py",
        "\x1b[0;32mFile ~/course/blocks.py:7\x1b[0m",
        f"saved to {ROOT / 'model.keras'}",
    ]
    harmless = [
        "see https://example.org/home/page and /content/sample_data",
        "batch/head/root/tmp",
        "ratio 3/4, shape (N, H, W, C), 0x10",
    ]
    for text in bad + harmless:
        code(good, 0).outputs[0].text = text
        found = checks.problems(good, [str(ROOT)])
        assert ["prints a machine path" in problem for problem in found] == [True] * (text in bad)


def test_a_name_is_found_unless_the_author_uses_the_word(good):
    code(good, 0).outputs[0].text = "trained by mark"
    assert any("mark" in problem for problem in checks.problems(good, ["mark"]))
    good.cells[0].source += "\n\nThe dots mark the seeds."
    assert checks.problems(good, ["mark"]) == []


def test_an_error_is_welcome_where_the_author_says_so(good):
    raised(good)
    code(good, 0).metadata.tags = ["raises-exception"]
    assert checks.problems(good) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Objectives", "Aims", "lacks: Objectives"),
        ("Prerequisites", "Before", "lacks: Prerequisites"),
        ("to read", "to look at", "lacks: reading time"),
        ("to compute", "to run", "lacks: computing time"),
        ("## Summary", "## End", "lacks a heading: Summary"),
        ("## Quiz", "**Quiz**", "lacks a heading: Quiz"),
        ("## References", "", "lacks a heading: References"),
        ("## Summary", "## Quiz\n\n## Summary", "not in the order"),
    ],
)
def test_lesson_without_a_part_fails(good, old, new, expected):
    if expected == "not in the order":
        good.cells[-1].source = good.cells[-1].source.replace("## Quiz", "")
    for one in good.cells:
        one.source = one.source.replace(old, new)
    assert any(expected in problem for problem in checks.lesson_problems(good, LESSON))


def test_what_goes_deeper_needs_no_quiz_and_little_time(good):
    for one in good.cells:
        one.source = one.source.replace("## Quiz", "**No quiz.**")
    assert checks.lesson_problems(good, DEEPER) == []
    good.cells[0].source = good.cells[0].source.replace("1 minute", "16 minutes")
    assert checks.lesson_problems(good, DEEPER) == ["it takes 16 minutes, at most 15"]
    good.cells[-1].source = good.cells[-1].source.replace("## Summary", "")
    assert "the closing lacks a heading: Summary" in checks.lesson_problems(good, DEEPER)


def test_nbval_passes_the_good_notebook_and_fails_on_a_failing_verdict(good_course, tmp_path):
    tiny_course(tmp_path, failing=fixture("failing_verdict"))
    nbformat.write(builder.from_source(notebooks(tmp_path)[0]), notebook(tmp_path, "failing"))
    shutil.copy(notebook(good_course, "good"), notebook(tmp_path, "good"))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=60"]
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."],
        cwd=tmp_path / "notebooks",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 1, result.stdout
    assert "1 failed, 4 passed" in result.stdout
    assert "The claim does not hold: the total is not 3." in result.stdout


# --- the builder: what it writes ---------------------------------------------------------------


def test_second_build_does_nothing_and_a_forced_one_writes_the_same_bytes(good_course, capsys):
    path = notebook(good_course, "good")
    before, time_before = path.read_bytes(), path.stat().st_mtime_ns
    assert command(good_course) == 0
    assert capsys.readouterr().out == "good: up to date\n"
    assert path.stat().st_mtime_ns == time_before
    assert command(good_course, "--force") == 0
    assert "good: written" in capsys.readouterr().out
    assert path.read_bytes() == before


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
    metadata = [cell["metadata"] for cell in raw["cells"] if cell["cell_type"] == "code"]
    assert metadata == [{"tags": ["hide"]}, {"tags": ["readme-figure"]}, {}]


def test_readme_figure_is_the_notebooks_output(good_course, good, capsys):
    png, alt = builder.readme_figure(good)
    (figure,) = (good_course / "docs" / "images").iterdir()
    assert figure == notebooks(good_course)[0].figure
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
    root = tiny_course(tmp_path, **{"01_a": TINY.format(1) * 2, "02_b": TINY.format(1)})
    first, second = (builder.from_source(made) for made in notebooks(root))
    ids = [cell.id for cell in [*first.cells, *second.cells]]
    assert len(set(ids)) == 6
    source(root, "01_a").write_text("# %%\nnew = 1\n\n" + TINY.format(1) * 2)
    longer = builder.from_source(notebooks(root)[0])
    assert [cell.id for cell in longer.cells[1:]] == ids[:4], "a new cell leaves the others alone"


def test_blank_lines_leave_no_notes_and_lines_of_a_script_stay_as_they_are(tmp_path):
    script = "```bash\n#!/bin/bash\n#SBATCH --nodes=2\n!ls\n```"
    commented = "\n".join(f"# {line}" for line in script.splitlines())
    text = f"# %% [markdown]\n{commented}\n\n# %%\n# !ls\nx = 1\n# %%\ny = 2\n\n\n\n# %%\nz = 3\n"
    cells = made_from(tmp_path, text).cells
    assert [cell.source.strip() for cell in cells] == [script, "# !ls\nx = 1", "y = 2", "z = 3"]
    assert [cell.metadata for cell in cells] == [{}, {}, {}, {}]


def test_hashes_see_names_and_texts_and_no_kind_of_line_end(tmp_path):
    root = tiny_course(tmp_path)
    seen = {builder.package_hash(root)}
    init = root / "resnet_lesson" / "__init__.py"
    init.write_bytes(b"VALUE = 1\r\n")
    assert builder.package_hash(root) in seen
    init.write_text("VALUE = 2\n")
    seen.add(builder.package_hash(root))
    init.rename(init.with_name("other.py"))
    seen.add(builder.package_hash(root))
    for name in ("widgets/look.css", "widgets/pad.js", "records/01_study.json"):
        path = root / "resnet_lesson" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
        seen.add(builder.package_hash(root))
    assert len(seen) == 6
    (root / "resnet_lesson" / "notes.txt").write_text("no code")
    assert builder.package_hash(root) in seen


def test_streams_are_merged_and_carriage_returns_followed():
    def tidy(*outputs):
        nb = new_notebook(cells=[new_code_cell("", outputs=list(outputs))])
        kernel._tidy(nb)
        return [output.get("text") for output in nb.cells[0].outputs]

    for pieces, expected in (
        (["a", "b\n"], "ab\n"),
        (["10%\r50%\r100%\n", "done\n"], "100%\ndone\n"),
        (["windows\r\n", "line\n"], "windows\nline\n"),
        (["left\r"], "left\r"),
    ):
        assert tidy(*(new_output("stream", text=piece) for piece in pieces)) == [expected]
    picture = new_output("display_data", {"text/plain": "figure"})
    around = [new_output("stream", text="a\n"), picture, new_output("stream", text="a\n")]
    assert tidy(*around) == ["a\n", None, "a\n"]


def test_kernel_is_this_interpreter_in_a_settled_environment_without_progress_bars(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.setenv("MPLBACKEND", "agg")
    names = ["TQDM_DISABLE", "PYTHONHASHSEED", "MPLBACKEND", "PYTHONWARNINGS"]
    text = (
        "# %%\nimport os, sys, resnet_lesson\n"
        f"[sys.executable, os.getcwd(), resnet_lesson.__file__, *map(os.getenv, {names})]\n\n"
        "# %%\nfrom tqdm import tqdm\nfrom tqdm.notebook import tqdm as widget\n"
        "print('before')\nfor _ in tqdm(range(3)):\n    pass\n"
        "for _ in widget(range(3), leave=False):\n    pass\nprint('after')\n"
    )
    nb = made_from(tmp_path, text)
    kernel.execute(nb, tmp_path / "notebooks", tmp_path, timeout=60)
    assert eval(nb.cells[0].outputs[0].data["text/plain"]) == [
        sys.executable,
        str(tmp_path / "notebooks"),
        str(tmp_path / "resnet_lesson" / "__init__.py"),
        "1",
        "0",
        "module://matplotlib_inline.backend_inline",
        None,
    ]
    assert [output.text for output in nb.cells[1].outputs] == ["before\nafter\n"]


# --- the builder: what it rebuilds -------------------------------------------------------------


def test_only_what_is_out_of_date_is_rebuilt(tmp_path, capsys, monkeypatch):
    built = []

    def pretend(nb, folder, root, timeout):
        built.append(nb.cells[1].source)
        for one in nb.cells[1:]:
            one.execution_count = 1
            one.outputs = [new_output("stream", text="1\n")]

    monkeypatch.setattr(builder, "execute", pretend)

    def rebuilt(*arguments):
        built.clear()
        assert command(root, *arguments) == 0
        return list(built)

    root = tiny_course(tmp_path, **{"01_a": TINY.format(1), "deeper/01_b": TINY.format(2)})
    assert command(root, "--check") == 1
    assert capsys.readouterr().out == "01_a: missing\ndeeper/01_b: missing\n"
    assert rebuilt() == ["print(1)", "print(2)"]
    assert rebuilt() == []
    assert rebuilt("deeper/01", "--force") == ["print(2)"]

    source(root, "01_a").write_text(TINY.format(3))
    assert command(root, "--check") == 1
    assert "01_a: source changed\ndeeper/01_b: up to date\n" in capsys.readouterr().out
    assert command(root, "deeper", "--check") == 0
    assert rebuilt("deeper") == []
    assert rebuilt("01") == ["print(3)"]

    (root / "resnet_lesson" / "__init__.py").write_text("VALUE = 2\n")
    capsys.readouterr()
    assert command(root, "--check") == 0, "a changed package alone is only listed"
    assert capsys.readouterr().out == "01_a: package changed\ndeeper/01_b: package changed\n"
    assert command(root, "--check-package") == 1
    assert rebuilt() == ["print(3)", "print(2)"]
    assert command(root, "--check-package") == 0


def test_stale_and_damaged_notebooks_are_noticed(good_course, tmp_path):
    root = shutil.copytree(good_course, tmp_path / "course")
    target = notebook(root, "good")
    original = target.read_bytes()

    def reasons(content):
        target.write_bytes(content)
        (found,) = builder.status(root).values()
        return found

    assert reasons(original) == []
    assert reasons(original.replace(b"total = 1 + 1", b"total = 1 + 2")) == [builder.EDITED]
    for damaged in (b"", original[:1000], b"{}", b"[]", original.replace(b"source_sha", b"x")):
        assert reasons(damaged) == [builder.UNREADABLE]
    source(root, "good").write_text(fixture("good") + "# A last word.\n")
    assert reasons(original) == [builder.SOURCE]
    assert command(root, "--check") == 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.folder or "lessons")
def test_notebook_without_source_is_noticed(tmp_path, capsys, kind):
    lost = tiny_course(tmp_path) / "notebooks" / kind.folder / "09_lost.ipynb"
    lost.parent.mkdir(parents=True, exist_ok=True)
    lost.write_bytes(OLD)
    assert builder.orphans(tmp_path) == [lost]
    assert command(tmp_path, "--check") == 1
    assert "09_lost: has no source" in capsys.readouterr().out


def test_unknown_name_says_what_there_is(tmp_path, capsys):
    root = tiny_course(tmp_path, **{"01_a": TINY.format(1)})
    assert command(root, "07") == 2
    assert capsys.readouterr().err == "No notebook starts with '07'; there are: 01_a.\n"


# --- the builder: what it refuses --------------------------------------------------------------


def test_failing_cell_leaves_the_old_notebook(tmp_path, capsys):
    root = tiny_course(tmp_path, bad=fixture("failing_verdict"), zeta=TINY.format(1))
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


def test_bad_outputs_are_refused(tmp_path):
    said = refused(tmp_path, "bad", fixture("bad_outputs"))
    assert re.search(r"cell 2 \(import tempfile\): writes to stderr.*a deprecated call", said, re.S)
    assert 'cell 3 (print("saved to"' in said and "prints a machine path" in said
    assert "cell 4 (PIXEL = (): an image/png output without a text alternative" in said


def test_dead_kernel_is_noticed_at_once(tmp_path):
    start = time.monotonic()
    said = refused(tmp_path, "dead", fixture("dead_kernel"))
    assert "cell 2 (import os): the kernel died\n    the last words" in said
    assert time.monotonic() - start < 20


def test_endless_cell_is_ended(tmp_path):
    nb = made_from(tmp_path, "# %%\nwhile True:\n    pass\n")
    with pytest.raises(kernel.Refused, match="takes longer than 1 seconds"):
        kernel.execute(nb, tmp_path / "notebooks", tmp_path, timeout=1)


def test_bad_source_is_refused_before_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(builder, "execute", lambda *_: pytest.fail("executed"))
    for text, expected in (
        ("# # Long\n\n# %%\n" + "x = 1\n" * 26, "26 lines of code"),
        ("# # Path\n\n# %%\nopen('/home/me/x')\n", "names a machine path"),
        ("# ## No title\n\n# %%\nprint(1)\n", "one heading of level 1"),
    ):
        assert expected in refused(tmp_path, "bad", f"# %% [markdown]\n{text}")


@pytest.mark.parametrize("call", ["os.replace", "pathlib.Path.write_bytes"])
def test_full_disk_leaves_the_old_notebook(tmp_path, capsys, monkeypatch, call):
    root = tiny_course(tmp_path, **{"01_a": TINY.format(1)})
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
    root = tiny_course(tmp_path, slow=text)
    notebook(root, "slow").write_bytes(OLD)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tools" / "build_notebooks.py"), "--root", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        started, end = root / "started", time.monotonic() + 30
        while not (started.exists() and started.read_text().endswith("\n")):
            assert time.monotonic() < end, "waited too long"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert errors == "\nInterrupted. The notebook in work was not written.\n"
    assert_untouched(root, "slow")
    with pytest.raises(ProcessLookupError):
        os.kill(int(started.read_text()), 0)
