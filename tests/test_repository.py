"""What the repository promises: set-up, locked versions, licences, commands and links."""

import ast
import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import tomllib
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIRES_PYTHON = SpecifierSet(PROJECT["project"]["requires-python"])
SUPPORTED = [f"3.{minor}" for minor in range(50) if REQUIRES_PYTHON.contains(f"3.{minor}.0")]
STAMP = ".venv/.resnet-lesson-stamp"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def load(path: Path) -> ModuleType:
    """Import one file by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_one_sentence(text: str) -> None:
    """One line, one full stop at its end, no traceback; make's own last word does not count."""
    lines = [line for line in text.splitlines() if not re.match(r"make(\[\d+\])?: ", line)]
    assert len(lines) == 1, text
    assert lines[0].endswith("."), text
    assert not re.search(r"\. [A-Z]", lines[0]), text


# -- Versions --------------------------------------------------------------------------------------


def lock_entries() -> list[tuple[Requirement, list[str]]]:
    """Every entry of requirements.lock with its hashes."""
    entries = []
    for line in read("requirements.lock").replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith(("#", "--only-binary")):
            requirement, *hashes = re.split(r"\s+--hash=", line.strip())
            entries.append((Requirement(requirement), hashes))
    return entries


def direct_dependencies() -> list[Requirement]:
    """What pyproject.toml asks for: the dependencies, all extras and the build backend."""
    project = PROJECT["project"]
    extras = [text for extra in project["optional-dependencies"].values() for text in extra]
    texts = [*project["dependencies"], *extras, *PROJECT["build-system"]["requires"]]
    return [Requirement(text) for text in texts]


def machine(python: str, system: str) -> dict[str, str]:
    """The marker environment of a machine, as packaging understands it."""
    return default_environment() | {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_system": system,
        "sys_platform": {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}[system],
        "os_name": "nt" if system == "Windows" else "posix",
        "platform_machine": "arm64" if system == "Darwin" else "x86_64",
    }


def wanted_by(requirement: Requirement, where: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(where)


@pytest.mark.parametrize("system", ["Linux", "Darwin", "Windows"])
@pytest.mark.parametrize("python", [f"{minor}.{patch}" for minor in SUPPORTED for patch in (0, 99)])
def test_lock_satisfies_pyproject(python: str, system: str) -> None:
    where = machine(python, system)
    locked: dict[str, list[str]] = {}
    for entry, _ in lock_entries():
        if wanted_by(entry, where):
            (pin,) = entry.specifier
            locked.setdefault(canonicalize_name(entry.name), []).append(pin.version)
    wanted = [r for r in direct_dependencies() if wanted_by(r, where)]
    assert len(wanted) > 10
    for requirement in wanted:
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert len(versions) == 1, f"{requirement}: the lock has {versions}"
        assert requirement.specifier.contains(versions[0]), f"{requirement}: {versions[0]}"


def test_every_lock_entry_is_exact_and_hashed() -> None:
    entries = lock_entries()
    assert len(entries) > 100
    for entry, hashes in entries:
        assert re.fullmatch(r"==[^*,]+", str(entry.specifier)), entry
        assert hashes, f"{entry} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes), entry


def test_lock_carries_no_address() -> None:
    assert not re.search(r"://|file:|--[a-z-]*index|--find-links| @ ", read("requirements.lock"))


def test_lock_allows_no_build_from_source() -> None:
    """A source package would fetch what builds it, and that has no hash in the lock."""
    assert re.search(r"^--only-binary :all:$", read("requirements.lock"), re.MULTILINE)


def test_same_pythons_everywhere() -> None:
    assert SUPPORTED
    minors = load(ROOT / "tools/setup.py").supported_minors()
    assert [f"3.{minor}" for minor in minors] == SUPPORTED

    workflow = yaml.safe_load(read(".github/workflows/test.yml"))
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == SUPPORTED

    (locked_for,) = re.findall(r"--python-version (\S+)", read("Makefile"))
    assert locked_for == SUPPORTED[0]


def test_conda_installs_the_lock_and_nothing_else() -> None:
    *conda, pip = yaml.safe_load(read("environment.yml"))["dependencies"]
    python, *others = map(str, conda)
    assert others == ["pip"]
    assert python.removeprefix("python=") in SUPPORTED
    assert pip == {"pip": ["-r requirements.lock"]}


def test_ci_calls_make_test() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert re.search(r"^make test$", read(".ci/run"), re.MULTILINE)
    steps = yaml.safe_load(read(".github/workflows/test.yml"))["jobs"]["test"]["steps"]
    assert steps[-1]["run"] == "make test PYTHON=python"


# -- Machines on which the course cannot run -------------------------------------------------------


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 10), (3, 14), (4, 12)])
def test_wrong_python_gets_a_sentence(version: tuple[int, int]) -> None:
    reason = load(ROOT / "tools/setup.py").refusal(version, "Linux", "x86_64", True)
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
def test_wrong_machine_gets_a_sentence(machine: tuple[str, str, bool], hint: str) -> None:
    reason = load(ROOT / "tools/setup.py").refusal((3, 12), *machine)
    assert_one_sentence(reason)
    assert hint in reason


@pytest.mark.parametrize("minor", [int(text.split(".")[1]) for text in SUPPORTED])
@pytest.mark.parametrize("where", [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")])
def test_right_machine_is_not_refused(minor: int, where: tuple[str, str]) -> None:
    assert load(ROOT / "tools/setup.py").refusal((3, minor), *where, True) is None


@pytest.mark.slow
def test_wrong_pythons_of_this_machine_are_refused() -> None:
    """Really start every other Python that can be found; the tests above need none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    names = ["python2", "python2.7", *(f"python3.{minor}" for minor in range(4, 20))]
    pythons = [
        *map(str, pyenv.glob("versions/*/bin/python")),
        *filter(None, map(shutil.which, names)),
    ]
    ask = "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"
    for python in pythons:
        version = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
        if version.returncode == 0 and version.stdout not in SUPPORTED:
            done = subprocess.run(
                [python, "tools/setup.py"], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 1
            assert done.stdout == ""
            assert_one_sentence(done.stderr)
            assert f"This is Python {version.stdout}," in done.stderr


def test_setup_can_be_read_by_any_python() -> None:
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

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a course"
        self.log = folder / "uv.log"
        self.bin = folder / "bin"
        (self.root / "tools").mkdir(parents=True)
        for name in ("pyproject.toml", "Makefile", "tools/setup.py", "tools/environment.py"):
            shutil.copy(ROOT / name, self.root / name)
        (self.root / "requirements.lock").write_text("numpy==2.1.0\n")
        self.bin.mkdir()
        (self.bin / "uv").write_text(FAKE_UV)
        (self.bin / "uv").chmod(0o755)

    def start(self, *command: str | Path, uv_does: str = "") -> subprocess.Popen:
        # Variables of the make that runs these tests must not reach the one under test.
        outer = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "PYTHON", "N"}
        env = {name: value for name, value in os.environ.items() if name not in outer}
        env["PATH"] = f"{self.bin}{os.pathsep}{env['PATH']}"
        env |= {"UV_LOG": str(self.log), "UV_DOES": uv_does}
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # A shell that runs the tests in the background hands on that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def start_setup(self, uv_does: str = "") -> subprocess.Popen:
        return self.start(sys.executable, "tools/setup.py", uv_does=uv_does)

    def set_up(self, uv_does: str = "") -> tuple[int, str]:
        """Run tools/setup.py; its exit code and what it wrote to stderr."""
        process = self.start_setup(uv_does)
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        return process.returncode, errors

    def make(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start("make", *arguments)
        out, errors = process.communicate(timeout=60)
        return process.returncode, out, errors

    def installs(self) -> list[str]:
        """The calls of uv up to now."""
        return self.log.read_text().splitlines() if self.log.exists() else []

    def wait_for_uv(self) -> None:
        deadline = time.monotonic() + 30
        while not self.installs():
            assert time.monotonic() < deadline, "uv was never called"
            time.sleep(0.02)


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path)


@pytest.fixture
def done(course: Course) -> Course:
    """A course that is set up; `mine` in its .venv tells whether .venv was made anew since."""
    assert course.set_up()[0] == 0
    course.log.unlink()
    (course.root / ".venv/mine").touch()
    return course


def test_setup_installs_the_lock_and_then_the_package(course: Course) -> None:
    code, errors = course.set_up()
    assert (code, len(errors.splitlines())) == (0, 1)
    lock, package = course.installs()
    assert lock.startswith("pip install ")
    assert lock.endswith("/.venv/bin/python --require-hashes -r requirements.lock")
    assert package.endswith(" --no-deps --no-build-isolation -e .")
    assert (course.root / ".venv/bin/python").exists()


def test_second_setup_does_nothing(done: Course) -> None:
    assert done.set_up() == (0, "")
    assert done.installs() == []


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_changed_versions_are_installed_into_the_same_venv(done: Course, name: str) -> None:
    with open(done.root / name, "a") as file:
        file.write("# changed\n")
    assert done.set_up()[0] == 0
    assert len(done.installs()) == 2
    assert (done.root / ".venv/mine").exists()
    assert done.set_up() == (0, "")


def test_broken_interpreter_is_replaced(done: Course) -> None:
    python = done.root / ".venv/bin/python"
    python.unlink()
    python.symlink_to("gone")
    assert done.set_up()[0] == 0
    assert python.exists()
    assert not (done.root / ".venv/mine").exists()


def test_venv_of_another_python_is_replaced(done: Course) -> None:
    stamp = done.root / STAMP
    version = ".".join(map(str, sys.version_info[:3]))
    assert version in stamp.read_text()
    stamp.write_text(stamp.read_text().replace(version, "3.11.0rc1"))
    assert done.set_up()[0] == 0
    assert not (done.root / ".venv/mine").exists()


def test_moved_folder_heals(done: Course) -> None:
    done.root = done.root.rename(done.root.with_name("moved course"))
    assert done.set_up()[0] == 0
    assert len(done.installs()) == 2
    assert not (done.root / ".venv/mine").exists()
    assert done.set_up() == (0, "")


def test_failed_install_ends_in_a_sentence_and_can_be_repeated(course: Course) -> None:
    code, errors = course.set_up("echo no such version >&2; exit 3")
    assert code == 1
    started, reason, sentence = errors.splitlines()
    assert started.startswith("Setting up .venv with Python ")
    assert reason == "no such version"
    assert_one_sentence(sentence)
    assert not (course.root / STAMP).exists()
    assert course.set_up()[0] == 0
    assert course.set_up() == (0, "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_install_can_be_repeated(course: Course, how: signal.Signals) -> None:
    # exec: a shell between the two could start the sleep after Ctrl-C, and leave it behind.
    process = course.start_setup("exec sleep 60")
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
def test_second_of_two_setups_waits(course: Course) -> None:
    first = course.start_setup("sleep 1")
    course.wait_for_uv()
    second = course.start_setup()
    _, errors = second.communicate(timeout=60)
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert_one_sentence(errors.replace(" ...", "."))
    assert "waiting" in errors
    assert len(course.installs()) == 2  # both by the first


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_a_venv_that_is_none_is_not_deleted(course: Course, kind: str) -> None:
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
def environment(course: Course, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tools/environment.py of the copy, without uv; `commands` are those it would have run."""
    module = load(course.root / "tools/environment.py")
    module.commands = []

    def note(*command: str | Path) -> None:
        module.commands.append([str(part) for part in command])
        module.VENV.mkdir(exist_ok=True)

    monkeypatch.setattr(module, "find_uv", lambda: None)
    monkeypatch.setattr(module, "run", note)
    return module


def test_plain_pip_will_do(environment: ModuleType) -> None:
    environment.main()
    make_venv, lock, package = environment.commands
    assert make_venv[1:] == ["-I", "-m", "venv", "--clear", str(environment.VENV)]
    for command in (lock, package):
        assert command[:5] == [str(environment.VENV_PYTHON), "-I", "-m", "pip", "install"]
    assert lock[-3:] == ["--require-hashes", "-r", "requirements.lock"]
    assert package[-4:] == ["--no-deps", "--no-build-isolation", "-e", "."]


def test_full_disk_gets_a_sentence(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(9e9, 7.8e9, 1.2e9))
    with pytest.raises(SystemExit) as stop:
        environment.main()
    assert_one_sentence(stop.value.code)
    assert "1.2 GB" in stop.value.code
    assert "4 GB" in stop.value.code
    assert environment.commands == []


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_python_without_venv_gets_a_sentence(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find_spec(name)
    )
    with pytest.raises(SystemExit) as stop:
        environment.main()
    assert_one_sentence(stop.value.code)
    assert "-venv`" in stop.value.code
    assert environment.commands == []


def test_trouble_with_files_gets_a_sentence(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    (environment.ROOT / "build").touch()  # where a folder has to be
    with pytest.raises(SystemExit) as stop:
        environment.main()
    assert_one_sentence(stop.value.code)


# -- Commands --------------------------------------------------------------------------------------


def targets() -> set[str]:
    names = " ".join(re.findall(r"^\.PHONY: (.+)$", read("Makefile"), re.MULTILINE))
    return set(names.split())


def test_make_alone_lists_the_commands(course: Course) -> None:
    code, out, errors = course.make()
    assert (code, errors) == (0, "")
    assert {line.split()[1] for line in out.splitlines()} == targets() - {"setup"}


@pytest.mark.parametrize("python", ["./no such python", "../bin/shim", ""])
def test_make_with_a_python_that_does_not_start(course: Course, python: str) -> None:
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


def test_make_sets_up_with_the_python_it_is_given(course: Course) -> None:
    given = course.root.parent / "my python"
    given.symlink_to(sys.executable)
    code, out, errors = course.make("studies", f"PYTHON={given}")
    assert code == 0, errors
    assert "no study" in out
    assert len(course.installs()) == 2


def test_clean_keeps_the_venv(done: Course) -> None:
    cache = done.root / "tools/__pycache__"
    cache.mkdir(exist_ok=True)
    assert done.make("clean")[0] == 0
    assert not cache.exists()
    assert not (done.root / "build").exists()
    assert done.set_up() == (0, "")


# -- Documents -------------------------------------------------------------------------------------


def test_the_table_of_lessons_gives_the_times_that_the_lessons_give():
    table = re.findall(
        r"\((notebooks/\d.*)\.ipynb\).* (\d+) min \| (\d+) min \|", read("README.md")
    )
    lessons = sorted((ROOT / "notebooks/src").glob("[0-9]*.py"))
    said = r"\*\*Reading time:\*\* (\d+) minutes\. \*\*Computing time:\*\* (\d+) minute"
    times = [re.search(said, path.read_text(encoding="utf-8")).groups() for path in lessons]
    assert table == [
        (f"notebooks/{path.stem}", *two) for path, two in zip(lessons, times, strict=True)
    ]


DOCUMENTS = ["README.md", "CONTRIBUTING.md"]
DOCUMENTS += sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md"))


def make_commands(text: str) -> set[str]:
    """The targets of every `make ...` in code, fenced or inline."""
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    calls = re.findall(r"\bmake((?: +[\w=./*-]+)+)", "\n".join(code))
    return {word for call in calls for word in call.split() if "=" not in word}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documented_commands_exist(name: str) -> None:
    assert make_commands(read(name)) <= targets()


def test_the_two_commands_are_documented() -> None:
    assert {"lab", "test"} <= make_commands(read("README.md"))
    assert {"notebooks", "lab", "check", "test"} <= make_commands(read("CONTRIBUTING.md"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_inside_the_repository_resolve(name: str) -> None:
    text = re.sub(r"```.*?```", "", read(name), flags=re.DOTALL)
    links = re.findall(r"\]\(<?([^)>\s]+)", text) + re.findall(r'\b(?:src|href)="([^"]+)"', text)
    for link in links:
        path = link.partition("#")[0]
        if path and not re.match(r"[a-z]+:", path):
            assert ((ROOT / name).parent / path).exists(), f"{name} links to {link}"


def committed_files() -> list[Path]:
    """All files of the repository, or of a copy without git, that are not build products."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        paths = [ROOT / name for name in names.split("\0") if name]
    else:
        ignored = {line.strip("/\n") for line in read(".gitignore").splitlines()}
        paths = [p for p in ROOT.rglob("*") if not ignored & set(p.relative_to(ROOT).parts)]
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_machine_or_a_registry() -> None:
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
            found = re.search("|".join(patterns), path.read_text(encoding="utf-8"))
            assert not found, f"{path.relative_to(ROOT)}: {found and found.group()}"
            texts += 1
    assert texts > 20


# -- Licences and citation -------------------------------------------------------------------------


def test_licence_files_are_there() -> None:
    for name in PROJECT["project"]["license-files"]:
        assert "icense" in read(name), name


def test_mnist_is_what_its_notice_says() -> None:
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


def test_one_version_number() -> None:
    version = PROJECT["project"]["version"]
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["version"] == version
    assert citation["cff-version"] == "1.2.0"
    assert re.search(rf"\b{re.escape(version)}\b", read("CHANGELOG.md"))
