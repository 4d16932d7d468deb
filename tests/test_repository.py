"""What the repository promises: set-up, locked versions, licences, commands and links."""

import ast
import contextlib
import csv
import hashlib
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import time
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import commands
import numpy as np
import pytest
import setup
import yaml
from commands import ROOT, run
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
REQUIRES_PYTHON = SpecifierSet(PROJECT["project"]["requires-python"])
SUPPORTED = [f"3.{minor}" for minor in range(50) if REQUIRES_PYTHON.contains(f"3.{minor}.0")]
STAMP = ".venv/.resnet-lesson-stamp"
READERS, WHOLE = LOCKS = ["requirements-lab.lock", "requirements.lock"]
DOCUMENTS = ["README.md", "CONTRIBUTING.md"]
DOCUMENTS += sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md"))


def read(name):
    return (ROOT / name).read_text("utf-8")


def load(path):
    """Import one file by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_one_sentence(text):
    """One line, one full stop at its end, no traceback; make's own last word does not count."""
    lines = [line for line in text.splitlines() if not re.match(r"make(\[\d+\])?: ", line)]
    assert len(lines) == 1, text
    assert lines[0].endswith("."), text
    assert not re.search(r"\. [A-Z]", lines[0]), text


# -- Versions --------------------------------------------------------------------------------------


def lock_entries(name=WHOLE):
    """Every entry of a lock with its hashes."""
    entries = []
    for line in read(name).replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith(("#", "--only-binary")):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            entries.append((Requirement(requirement), hashes))
    return entries


SYSTEMS = {
    "Linux": {"sys_platform": "linux", "os_name": "posix", "platform_machine": "x86_64"},
    "Darwin": {"sys_platform": "darwin", "os_name": "posix", "platform_machine": "arm64"},
    "Windows": {"sys_platform": "win32", "os_name": "nt", "platform_machine": "AMD64"},
}


@pytest.mark.parametrize("name", LOCKS)
@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", [f"{minor}.{patch}" for minor in SUPPORTED for patch in (0, 99)])
def test_lock_satisfies_pyproject(python, system, name):
    version = {"python_version": python.rpartition(".")[0], "python_full_version": python}
    kind = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}
    where = default_environment() | {"platform_system": system} | SYSTEMS[system] | version | kind

    def applies(requirement):
        return requirement.marker is None or requirement.marker.evaluate(where)

    locked = {}
    for entry, _ in lock_entries(name):
        if applies(entry):
            (pin,) = entry.specifier
            locked.setdefault(canonicalize_name(entry.name), []).append(pin.version)
    project = PROJECT["project"]
    texts = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    extras = project["optional-dependencies"]
    texts += [text for extra in (["lab"] if name == READERS else extras) for text in extras[extra]]
    wanted = list(filter(applies, map(Requirement, texts)))
    assert len(wanted) > 10
    for requirement in wanted:
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert len(versions) == 1, f"{requirement}: the lock has {versions}"
        assert requirement.specifier.contains(versions[0]), f"{requirement}: {versions[0]}"


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_is_exact_and_hashed_and_names_no_address(name):
    entries = lock_entries(name)
    assert len(entries) > 100
    for entry, hashes in entries:
        assert re.fullmatch(r"==[^*,]+", str(entry.specifier)), entry
        assert hashes, f"{entry} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes), entry
    lock = read(name)
    assert not re.search(r"://|file:|--[a-z-]*index|--find-links| @ ", lock)
    # A source package would fetch what builds it, and that has no hash in the lock.
    assert re.search(r"^--only-binary :all:$", lock, re.MULTILINE)


def test_the_readers_lock_is_a_part_of_the_whole_one():
    whole = {str(entry): hashes for entry, hashes in lock_entries()}
    readers = {str(entry): hashes for entry, hashes in lock_entries(READERS)}
    assert readers.items() < whole.items()
    left_out = {Requirement(text).name for text in whole.keys() - readers.keys()}
    assert {"playwright", "sphinx", "ruff", "uv"} <= left_out


def test_the_readers_lock_holds_what_a_reader_needs_and_no_more():
    """The packages that pyproject.toml and what is installed here ask for, one after the other."""
    project = PROJECT["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["lab"]]
    left = [(Requirement(text), "") for text in texts]
    needed, seen = set(), set()
    while left:
        requirement, extra = left.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        needed.add(name)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                left += [(Requirement(text), extra) for text in metadata.requires(name) or []]
    entries = [entry for entry, _ in lock_entries(READERS)]
    here = [entry for entry in entries if not entry.marker or entry.marker.evaluate()]
    assert {canonicalize_name(entry.name) for entry in here} == needed


def test_what_a_reader_runs_imports_what_the_readers_lock_holds():
    held = {canonicalize_name(entry.name) for entry, _ in lock_entries(READERS)}
    distributions = metadata.packages_distributions()
    sources = [*ROOT.glob("resnet_lesson/**/*.py"), *ROOT.glob("notebooks/src/**/*.py")]
    imported = set()
    for path in sources:
        for node in ast.walk(ast.parse(re.sub(r"(?m)^%", "#", path.read_text("utf-8")))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.partition(".")[0])
    ours = {"resnet_lesson", *sys.stdlib_module_names}
    assert {"tensorflow", "anywidget", "jupyterquiz"} <= imported
    for name in imported - ours:
        assert {canonicalize_name(held_by) for held_by in distributions[name]} & held, name


def dev_container():
    """The settings of the dev container, without their comments."""
    return json.loads(re.sub(r"(?m)^\s*//.*$", "", read(".devcontainer/devcontainer.json")))


def workflow(name):
    return yaml.safe_load(read(f".github/workflows/{name}.yml"))["jobs"]


def test_same_pythons_everywhere():
    assert SUPPORTED
    assert [f"3.{minor}" for minor in setup.supported_minors()] == SUPPORTED
    weekly = workflow("weekly")
    for job in (workflow("test")["check"], weekly["test"], weekly["matrix"]):
        assert job["strategy"]["matrix"]["python"] == SUPPORTED
    action = yaml.safe_load(read(".github/actions/python/action.yml"))
    assert action["inputs"]["version"]["default"] in SUPPORTED
    (locked_for,) = re.findall(r"--python-version (\S+)", read("Makefile"))
    assert locked_for == SUPPORTED[0]
    assert read("binder/runtime.txt").strip().removeprefix("python-") in SUPPORTED
    assert dev_container()["image"].rpartition(":")[2] in SUPPORTED


def test_conda_brings_python_and_the_lock_the_rest():
    text = read("environment.yml")
    python, *others = yaml.safe_load(text)["dependencies"]
    assert others == ["pip", {"pip": [f"-r {READERS}"]}]
    assert python.removeprefix("python=") in SUPPORTED
    commands = re.findall(r"^#   (.+)$", text, re.MULTILINE)
    tested = [step["run"] for step in workflow("weekly")["conda"]["steps"] if "run" in step]
    tested = [command.removeprefix("conda run -n resnet-lesson ") for command in tested]
    told = [command for command in commands if not command.startswith("conda activate")]
    assert [command for command in tested if command in told] == told
    (named,) = re.findall(r"The lock brings (.+) and what", text.replace("\n# ", " "))
    card = ["jupyter", "tensorflow", "matplotlib", "numpy", "nbval", "pytest"]
    assert named.split(", ")[:-1] == card[:-1]
    assert named.endswith(card[-1])
    assert set(card) <= {entry.name for entry, _ in lock_entries(READERS)}


def test_what_is_tested_when():
    """A pull request: lint first, then the unit tests and the slow ones. Afterwards: everything."""
    jobs = workflow("test")
    runs = {name: job["steps"][-1]["run"] for name, job in jobs.items()}
    assert runs.pop("lint") == "ruff check . && ruff format --check ."
    assert runs == {name: f"make {name} PYTHON=python" for name in ("check", "slow", "test")}
    assert [jobs[name]["needs"] for name in runs] == ["lint"] * 3
    events = ["pull_request", "pull_request", "push"]
    assert [jobs[name]["if"].split()[-1].strip("'") for name in runs] == events
    assert workflow("weekly")["test"]["steps"][-1]["run"] == "make test PYTHON=python"
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert re.search(r"^make test$", read(".ci/run"), re.MULTILINE)


# -- Machines on which the course cannot run -------------------------------------------------------


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 10), (3, 14), (4, 12)])
def test_wrong_python_gets_a_sentence(version):
    reason = setup.refusal(version, "Linux", "x86_64", True)
    assert_one_sentence(reason)
    assert f"Python {version[0]}.{version[1]}," in reason
    assert f"needs Python {SUPPORTED[0]} to {SUPPORTED[-1]}:" in reason
    (named,) = re.findall(r"make lab PYTHON=python([\d.]+)`", reason)
    assert named in SUPPORTED


@pytest.mark.parametrize(
    ("machine", "hint"),
    [
        (("Darwin", "x86_64", True), "Colab"),
        (("Windows", "AMD64", True), "environment.yml"),
        (("Linux", "armv7l", False), "64-bit"),
    ],
)
def test_wrong_machine_gets_a_sentence(machine, hint):
    reason = setup.refusal((3, 12), *machine)
    assert_one_sentence(reason)
    assert hint in reason


@pytest.mark.parametrize("where", [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")])
def test_right_machine_is_not_refused(where):
    for minor in setup.supported_minors():
        assert setup.refusal((3, minor), *where, True) is None


@pytest.mark.slow
def test_wrong_pythons_of_this_machine_are_refused():
    """Really start every other Python that can be found; the tests above need none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    names = ["python2", "python2.7", *(f"python3.{minor}" for minor in range(4, 20))]
    found = [*map(str, pyenv.glob("versions/*/bin/python")), *map(shutil.which, names)]
    ask = "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"
    for python in filter(None, found):
        version = run(python, "-c", ask)
        if version.returncode == 0 and version.stdout not in SUPPORTED:
            done = run(python, "tools/setup.py")
            assert (done.returncode, done.stdout) == (1, "")
            assert_one_sentence(done.stderr)
            assert f"This is Python {version.stdout}," in done.stderr


def test_setup_can_be_read_by_any_python():
    """tools/setup.py uses no syntax that Python 2.7 lacks."""
    source = (ROOT / "tools/setup.py").read_bytes().decode("ascii")
    newer = ast.JoinedStr | ast.AnnAssign | ast.NamedExpr | ast.Nonlocal | ast.Starred | ast.Match
    for node in ast.walk(ast.parse(source)):
        assert not isinstance(node, newer), ast.unparse(node)
        if isinstance(node, ast.FunctionDef):
            arguments = node.args
            assert not (node.returns or arguments.kwonlyargs or arguments.posonlyargs)
            assert not any(argument.annotation for argument in arguments.args)


# -- Set-up, with a uv that only notes what it was asked to do -------------------------------------

FAKE_UV = """#!/bin/sh
[ "$1" = --version ] && exit 0
echo "$@" >> "$UV_LOG"
eval "$UV_DOES"
"""


class Course:
    """A small copy of the repository, in a folder with a space in its name."""

    def __init__(self, folder):
        self.root = folder / "a course"
        self.log = folder / "uv.log"
        self.bin = folder / "bin"
        (self.root / "tools").mkdir(parents=True)
        for name in ("pyproject.toml", "Makefile", "tools/setup.py", "tools/environment.py"):
            shutil.copy(ROOT / name, self.root / name)
        for name in LOCKS:
            (self.root / name).write_text("numpy==2.1.0\n")
        self.bin.mkdir()
        (self.bin / "uv").write_text(FAKE_UV)
        (self.bin / "uv").chmod(0o755)

    def start(self, *command, uv_does=""):
        names = {"UV_LOG": str(self.log), "UV_DOES": uv_does}
        names["PATH"] = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        where = {"cwd": self.root, "env": commands.environment() | names}
        return subprocess.Popen(command, start_new_session=True, **where, **pipes)

    def start_setup(self, *options, uv_does=""):
        return self.start(sys.executable, "tools/setup.py", *options, uv_does=uv_does)

    def set_up(self, *options, uv_does=""):
        """Run tools/setup.py; its exit code and what it wrote to stderr."""
        process = self.start_setup(*options, uv_does=uv_does)
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        return process.returncode, errors

    def make(self, *arguments):
        process = self.start("make", *arguments)
        out, errors = process.communicate(timeout=60)
        return process.returncode, out, errors

    def installs(self):
        """The calls of uv up to now."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def wait_for_uv(self):
        deadline = time.monotonic() + 30
        while not self.installs():
            assert time.monotonic() < deadline, "uv was never called"
            time.sleep(0.02)


@pytest.fixture
def course(tmp_path):
    return Course(tmp_path)


@pytest.fixture
def done(course):
    """A course that is set up; `mine` in its .venv tells whether .venv was made anew since."""
    assert course.set_up()[0] == 0
    course.log.unlink()
    (course.root / ".venv/mine").touch()
    return course


@pytest.mark.parametrize(("options", "name"), [((), WHOLE), (("--lab",), READERS)])
def test_setup_installs_the_lock_and_then_the_package(course, options, name):
    code, errors = course.set_up(*options)
    assert (code, len(errors.splitlines())) == (0, 1)
    lock, package = course.installs()
    assert lock.startswith("pip install ")
    assert lock.endswith(f"/.venv/bin/python --require-hashes -r {name}")
    assert package.endswith(" --no-deps --no-build-isolation -e .")
    assert (course.root / ".venv/bin/python").exists()
    assert course.set_up(*options) == (0, "")  # there is nothing left to do
    assert len(course.installs()) == 2


def test_the_rest_is_added_to_what_a_reader_has_and_never_taken_away(course):
    assert course.set_up("--lab")[0] == 0
    (course.root / ".venv/mine").touch()
    code, errors = course.set_up()
    assert (code, errors) == (0, "Bringing .venv up to date ...\n")
    assert course.installs()[2].endswith(f"-r {WHOLE}")
    assert course.set_up("--lab") == (0, "")
    with open(course.root / WHOLE, "a") as file:
        file.write("# changed\n")
    assert course.set_up("--lab") == (0, "")  # what a reader has is still the right thing
    assert course.set_up()[0] == 0
    with open(course.root / READERS, "a") as file:
        file.write("# changed\n")
    assert course.set_up("--lab")[0] == 0
    assert course.installs()[6].endswith(f"-r {READERS}")
    assert (course.root / ".venv/mine").exists()


@pytest.mark.parametrize("name", [*LOCKS, "pyproject.toml"])
def test_changed_versions_are_installed_into_the_same_venv(done, name):
    with open(done.root / name, "a") as file:
        file.write("# changed\n")
    assert done.set_up()[0] == 0
    assert len(done.installs()) == 2
    assert (done.root / ".venv/mine").exists()
    assert done.set_up() == (0, "")


def break_interpreter(course):
    python = course.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to("gone")


def change_python(course):
    version = ".".join(map(str, sys.version_info[:3]))
    stamp = course.root / STAMP
    assert version in stamp.read_text()
    stamp.write_text(stamp.read_text().replace(version, "3.11.0rc1"))


def move_folder(course):
    course.root = course.root.rename(course.root.with_name("moved course"))


@pytest.mark.parametrize("harm", [break_interpreter, change_python, move_folder])
def test_a_venv_that_is_of_no_use_is_made_anew(done, harm):
    harm(done)
    assert done.set_up()[0] == 0
    assert len(done.installs()) == 2
    assert (done.root / ".venv/bin/python").exists()
    assert not (done.root / ".venv/mine").exists()
    assert done.set_up() == (0, "")


def test_failed_install_ends_in_a_sentence_and_can_be_repeated(course):
    code, errors = course.set_up(uv_does="echo no such version >&2; exit 3")
    assert code == 1
    started, reason, sentence = errors.splitlines()
    assert started.startswith("Setting up .venv with Python ")
    assert reason == "no such version"
    assert_one_sentence(sentence)
    assert not (course.root / STAMP).exists()
    assert course.set_up()[0] == 0
    assert course.set_up() == (0, "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_install_can_be_repeated(course, how):
    # exec: a shell between the two could start the sleep after Ctrl-C, and leave it behind.
    process = course.start_setup(uv_does="exec sleep 60")
    course.wait_for_uv()
    os.killpg(process.pid, how)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in errors
    assert not (course.root / STAMP).exists()
    course.log.unlink()
    (course.root / ".venv/half-installed").touch()
    assert course.set_up()[0] == 0
    assert len(course.installs()) == 2
    assert not (course.root / ".venv/half-installed").exists()


@pytest.mark.slow
def test_second_of_two_setups_waits(course):
    first = course.start_setup(uv_does="sleep 1")
    course.wait_for_uv()
    second = course.start_setup()
    _, errors = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert_one_sentence(errors.replace(" ...", "."))
    assert "waiting" in errors
    assert len(course.installs()) == 2  # both by the first


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_a_venv_that_is_none_is_not_deleted(course, kind):
    venv = course.root / ".venv"
    if kind == "folder":
        venv.mkdir()
        (venv / "thesis.txt").touch()
    else:
        venv.symlink_to("gone")
    code, errors = course.set_up()
    assert code == 1
    assert_one_sentence(errors)
    assert os.path.lexists(venv / "thesis.txt" if kind == "folder" else venv)
    assert course.installs() == []


@pytest.fixture
def environment(course, monkeypatch):
    """tools/environment.py of the copy, without uv; `commands` are those it would have run."""
    module = load(course.root / "tools/environment.py")
    module.commands = []

    def note(*command):
        module.commands.append([str(part) for part in command])
        module.VENV.mkdir(exist_ok=True)

    monkeypatch.setattr(module, "find_uv", lambda: None)
    monkeypatch.setattr(module, "run", note)
    return module


def test_plain_pip_will_do(environment):
    environment.main()
    make_venv, lock, package = environment.commands
    assert make_venv[1:] == ["-I", "-m", "venv", "--clear", str(environment.VENV)]
    for command in (lock, package):
        assert command[:5] == [str(environment.VENV_PYTHON), "-I", "-m", "pip", "install"]
    assert lock[-3:] == ["--require-hashes", "-r", "requirements.lock"]
    assert package[-4:] == ["--no-deps", "--no-build-isolation", "-e", "."]


@pytest.mark.parametrize(
    ("trouble", "hint"),
    [
        ("full disk", "1.2 GB of room, but the course needs 4 GB"),
        ("venv", "-venv`"),  # modules that Debian leaves out
        ("ensurepip", "-venv`"),
        ("file in the way", "File exists"),
    ],
)
def test_trouble_gets_a_sentence(environment, monkeypatch, trouble, hint):
    if trouble == "full disk":
        monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1.2e9))
    elif trouble == "file in the way":
        (environment.ROOT / "build").touch()  # where a folder has to be
    else:
        monkeypatch.setitem(sys.modules, trouble, None)
    with pytest.raises(SystemExit) as stop:
        environment.main()
    assert_one_sentence(stop.value.code)
    assert hint in stop.value.code
    assert environment.commands == []


# -- Commands --------------------------------------------------------------------------------------


def test_make_alone_lists_the_commands(course):
    code, out, errors = course.make()
    assert (code, errors) == (0, "")
    targets = " ".join(re.findall(r"^\.PHONY: (.+)$", read("Makefile"), re.MULTILINE))
    hidden = {"setup", "setup-lab", "may-start"}
    assert {line.split()[1] for line in out.splitlines()} == set(targets.split()) - hidden


@pytest.fixture
def lab(course):
    """Call `make lab`: its exit code, JupyterLab's home and options or None, and the errors."""
    stub = "import os, sys\nprint(os.environ['HOME'], *sys.argv[1:])\n"
    (course.root / "jupyterlab.py").write_text(stub)

    def make_lab(*arguments, user=0):
        (course.bin / "id").write_text(f"#!/bin/sh\necho {user}\n")
        (course.bin / "id").chmod(0o755)
        code, out, errors = course.make("lab", f"PYTHON={sys.executable}", *arguments)
        return code, out.split() or None, errors

    return make_lab


def test_make_lab_installs_what_a_reader_needs(course, lab):
    code, options, errors = lab(user=1000)
    assert code == 0, errors
    assert course.installs()[0].endswith(f"-r {READERS}")
    assert {"--ip=127.0.0.1", "notebooks/00_start_here.ipynb"} <= set(options)


@pytest.mark.parametrize("home", [None, "/no/such/folder"])
def test_where_a_container_has_no_home_there_is_one(course, lab, monkeypatch, home):
    if home:
        monkeypatch.setenv("HOME", home)
    else:
        monkeypatch.delenv("HOME")
    code, options, errors = lab(user=1000)
    assert code == 0, errors
    assert " ".join(options).startswith(f"{course.root}/build/home ")


def test_root_is_told_what_to_type_before_anything_is_installed(course, lab, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(course.root))
    code, options, errors = lab()
    assert (code, options) == (2, None)
    assert_one_sentence(errors)
    assert course.installs() == []
    told = re.findall(r"`make lab ([^`]+)`", errors)
    assert len(told) == 2
    for arguments in told:
        code, options, errors = lab(*shlex.split(arguments))
        assert code == 0, errors
        assert "--allow-root" in options
        # JupyterLab refuses an option that it is given twice.
        assert len([option for option in options if "ip=" in option]) == 1
    assert "--ip=0.0.0.0" in options
    (course.root / "jupyter_server_config.py").write_text("c.ServerApp.allow_root = True\n")
    assert lab()[0] == 0


@pytest.mark.parametrize("python", ["./no such python", "../bin/shim", ""])
def test_make_with_a_python_that_does_not_start(course, python):
    (course.bin / "id").write_text("#!/bin/sh\necho 1000\n")
    (course.bin / "id").chmod(0o755)
    shim = course.bin / "shim"  # as pyenv leaves one for a version that is not chosen
    shim.write_text("#!/bin/sh\necho 'shim: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    code, out, errors = course.make("lab", f"PYTHON={python}")
    assert code != 0
    assert out == ""
    assert_one_sentence(errors)
    assert f"'{python}' does not start" in errors
    assert PROJECT["project"]["requires-python"] in errors
    assert course.installs() == []


def test_make_sets_up_with_the_python_it_is_given(course):
    given = course.root.parent / "my python"
    given.symlink_to(sys.executable)
    code, out, errors = course.make("studies", f"PYTHON={given}")
    assert code == 0, errors
    assert "no study" in out
    assert len(course.installs()) == 2


def test_clean_keeps_the_venv(done):
    cache = done.root / "tools/__pycache__"
    cache.mkdir(exist_ok=True)
    assert done.make("clean")[0] == 0
    assert not cache.exists()
    assert not (done.root / "build").exists()
    assert done.set_up() == (0, "")


def test_studies_run_one_after_the_other_until_one_fails(done):
    folder = done.root / "benchmarks/studies"
    folder.mkdir(parents=True)
    for name in ("04_first", "04_second", "04_third", "07_other"):
        (folder / f"{name}.py").write_text(f"assert {name != '04_second'}\n")
    code, out, _ = done.make("studies", "N=04")
    assert code != 0
    assert out.split() == [f"benchmarks/studies/{name}.py" for name in ("04_first", "04_second")]


def test_the_wheel_holds_all_files_of_the_package():
    done = run(*commands.make("wheel"))
    with zipfile.ZipFile(ROOT / done.stdout.strip()) as wheel:
        held = set(wheel.namelist())
    files = {path.relative_to(ROOT).as_posix() for path in committed_files()}
    files = {name for name in files if name.startswith("resnet_lesson/")}
    assert {"resnet_lesson/__init__.py", "resnet_lesson/mnist/mnist.npz"} <= files <= held


@pytest.mark.slow
def test_the_grader_as_a_lecturer_starts_it(tmp_path):
    (tmp_path / "handed-in/Ann").mkdir(parents=True)
    shutil.copy(ROOT / "notebooks/solutions/03_bottleneck_block.ipynb", tmp_path / "handed-in/Ann")
    command = [sys.executable, "-m", "resnet_lesson.grading", "handed-in", "--csv", "grades.csv"]
    subprocess.run([*command, "--feedback", "feedback"], cwd=tmp_path, check=True)
    with (tmp_path / "grades.csv").open(encoding="utf-8-sig") as file:
        (grade,) = csv.DictReader(file)
    name = "Ann/03_bottleneck_block.ipynb"
    assert (grade["hand-in"], grade["passed"], grade["remark"]) == (name, "4 of 4", "")
    assert "4 of 4" in (tmp_path / f"feedback/{name}.html").read_text(encoding="utf-8")


# Where a command is tested that no workflow runs.
TESTED = {
    "tools/make_examples.py": "test_pictures.test_the_pictures_are_those_that_the_script_makes",
    "make help": "test_repository.test_make_alone_lists_the_commands",
    "make setup-lab": "test_fresh.test_the_dev_container_has_its_interpreter_and_no_tools",
    "make lab": "test_lab.test_the_first_lesson_runs_with_run_all_cells",
    "make lab LAB_ARGS=": "test_lab.test_the_first_lesson_runs_with_run_all_cells",
    "make studies": "test_repository.test_studies_run_one_after_the_other_until_one_fails",
    "make studies N=": "test_repository.test_studies_run_one_after_the_other_until_one_fails",
    "make mutations ONLY=": "test_mutations.test_an_unknown_module_gets_a_sentence",
    "make release REPOSITORY=": "test_release.test_a_release_holds_all_of_it",
    "make release TAG=": "test_release.test_a_release_holds_all_of_it",
    "make release": "test_release.test_a_release_holds_all_of_it",
    "make wheel": "test_repository.test_the_wheel_holds_all_files_of_the_package",
    "make third-party": "test_slides.test_scripts_of_others_are_those_of_their_packages",
    "make clean": "test_repository.test_clean_keeps_the_venv",
    "-m resnet_lesson.distributed": "test_distributed.test_the_command_line_where_a_proxy_is_set",
    "-m resnet_lesson.grading": "test_repository.test_the_grader_as_a_lecturer_starts_it",
    "-m resnet_lesson.recipe": "test_recipe.test_the_command_trains_and_saves",
}


def named_in(text):
    """Return the commands in lines of code, with the names of their options: `make studies N=`."""
    ours = r"(?<=python )(?:-m resnet_lesson\.\w+|tools/\w+\.py)"
    found = set(re.findall(rf"{ours}|conda env create|pip install -[-\w]+|jupyter lab", text))
    option = r"[A-Z_]+=(?:'[^']*'|\S*)"
    for call in re.findall(rf"\bmake((?: +(?:{option}|[a-z-]+\b))+)", text):
        names = re.findall(r"([A-Z_]+=)", call)
        for target in re.sub(option, "", call).split():
            # Every target takes another Python.
            found |= {f"make {target}", *(f"make {target} {o}" for o in names if o != "PYTHON=")}
    return found


def code(name):
    """Return the code in a document, fenced or inline, each command on one line."""
    spans = re.findall(r"```\w*\n(.*?)```|`([^`]+)`", read(name), re.DOTALL)
    return "\n".join(block or " ".join(inline.split()) for block, inline in spans)


def test_each_command_is_run_by_a_test_or_by_a_workflow():
    named = set().union(*(named_in(code(name)) for name in DOCUMENTS))
    for target, words in re.findall(r"^([a-z-]+):.*## (.*)$", read("Makefile"), re.MULTILINE):
        named |= named_in(f"make {target} {' '.join(re.findall(r'[A-Z_]+=', words))}")
    for path in (ROOT / "notebooks/src").rglob("*.py"):
        named |= set(re.findall(r"-m resnet_lesson\.\w+", path.read_text("utf-8")))
    jobs = [*workflow("test").values(), *workflow("weekly").values()]
    lines = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    lines += workflow("weekly")["commands"]["strategy"]["matrix"]["command"]
    assert len(named) > 30
    assert named - named_in("\n".join(lines)) == TESTED.keys()
    for file, test in (where.split(".") for where in TESTED.values()):
        assert f"def {test}(" in read(f"tests/{file}.py")


def test_the_two_commands_are_documented():
    assert {"make lab", "make test"} <= named_in(code("README.md"))


# -- Documents -------------------------------------------------------------------------------------


def test_the_table_of_lessons_gives_the_times_that_the_lessons_give():
    table = re.findall(
        r"\((notebooks/\d.*)\.ipynb\).* (\d+) min \| (\d+) min \|", read("README.md")
    )
    lessons = sorted((ROOT / "notebooks/src").glob("[0-9]*.py"))
    said = r"\*\*Reading time:\*\* (\d+) minutes\. \*\*Computing time:\*\* (\d+) minute"
    times = [re.search(said, path.read_text("utf-8")).groups() for path in lessons]
    assert table == [
        (f"notebooks/{path.stem}", *two) for path, two in zip(lessons, times, strict=True)
    ]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_inside_the_repository_resolve(name):
    text = re.sub(r"```.*?```", "", read(name), flags=re.DOTALL)
    links = re.findall(r"\]\(<?([^)>\s]+)", text) + re.findall(r'\b(?:src|href)="([^"]+)"', text)
    for link in links:
        path = link.partition("#")[0]
        if path and not re.match(r"[a-z]+:", path):
            assert ((ROOT / name).parent / path).exists(), f"{name} links to {link}"


def committed_files():
    """All files of the repository, or of a copy without git, that are not build products."""
    if (ROOT / ".git").exists():
        names = run("git", "ls-files", "-co", "--exclude-standard", "-z").stdout
        paths = [ROOT / name for name in names.split("\0") if name]
    else:
        ignored = {line.strip("/\n") for line in read(".gitignore").splitlines()}
        paths = [p for p in ROOT.rglob("*") if not ignored & set(p.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_machine_or_a_registry():
    machine = r"(?<![\w./+-])/(?:home|Users|root|work)/\w|\b[A-Z]:\\Users\\"
    registry = r"pypi\.org|pythonhosted\.org|anaconda\.org"
    temporary = r"(?<![\w./+-])/tmp/"
    texts = 0
    for path in committed_files():
        patterns = [re.escape(f"{ROOT}/"), registry]
        if not path.is_relative_to(ROOT / "tests"):  # which has made-up ones, to be found
            patterns.append(machine)
        if path.suffix == ".ipynb":
            patterns.append(temporary)
        with contextlib.suppress(UnicodeDecodeError):
            found = re.search("|".join(patterns), path.read_text("utf-8"))
            assert not found, f"{path.relative_to(ROOT)}: {found and found.group()}"
            texts += 1
    assert texts > 20


# -- Licences and citation -------------------------------------------------------------------------


def test_licence_files_are_there():
    for name in PROJECT["project"]["license-files"]:
        assert "icense" in read(name), name


def test_mnist_is_what_its_notice_says():
    """The MD5s of the original files, recomputed from the arrays that are shipped."""
    notice = read("resnet_lesson/mnist/LICENSE.txt")
    with np.load(ROOT / "resnet_lesson/mnist/mnist.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["x_test", "x_train", "y_test", "y_train"]
        for key in arrays:
            array = arrays[key]
            # The IDX format: two zeros, the code of uint8, the number of axes, their lengths.
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            original = hashlib.md5(header + array.tobytes(), usedforsecurity=False).hexdigest()
            assert original in notice, key


def test_one_version_number():
    assert PROJECT["project"]["dynamic"] == ["version"]
    (version,) = re.findall(
        r'^__version__ = "(.+)"$', read("resnet_lesson/__init__.py"), re.MULTILINE
    )
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == version
    assert citation["cff-version"] == "1.2.0"
    assert re.search(rf"\b{re.escape(version)}\b", read("CHANGELOG.md"))
