"""What tools/setup.py does once it knows that its Python is a supported one."""

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".resnet-lesson-stamp"
READERS, WHOLE = "requirements-lab.lock", "requirements.lock"  # the first is a part of the second
GIGABYTE = 1e9
NEEDED = 4 * GIGABYTE  # .venv takes 3.0 GB (a reader's 2.6), the wheels on their way into it 0.9


def main(lab: bool = False) -> None:
    """Make .venv, or bring it up to date. Any trouble ends in one sentence and exit code 1.

    With `lab`, what a reader needs will do; a .venv that has more keeps it.
    """
    try:
        wanted = wanted_stamp([READERS] if lab else [READERS, WHOLE])
        if wanted.items() <= found_stamp().items():
            return
        with one_at_a_time():
            found = found_stamp()  # another call may have made it while this one waited
            if not wanted.items() <= found.items():
                install(found, wanted, READERS if lab else WHOLE)
    except subprocess.CalledProcessError:
        sys.exit(
            "The set-up failed, for the reason shown above: "
            "when that is mended, repeat the same command."
        )
    except OSError as error:
        sys.exit(f"The set-up failed: {error}.")
    except KeyboardInterrupt:
        say("The set-up was interrupted: the same command starts it again.")
        sys.exit(130)


def wanted_stamp(locks: list[str]) -> dict[str, str]:
    """What .venv has to be made from: this folder, this Python, the text of these locks."""
    stamp = {"root": str(ROOT), "python": platform.python_version()}
    project = (ROOT / "pyproject.toml").read_bytes()
    for lock in locks:
        stamp[lock] = hashlib.sha256((ROOT / lock).read_bytes() + project).hexdigest()
    return stamp


def found_stamp() -> dict[str, str]:
    """What .venv was made from: empty when it was never finished or no longer starts."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if starts(VENV_PYTHON, "-I", "-S", "-c", "") else {}


def install(found: dict[str, str], wanted: dict[str, str], lock: str) -> None:
    """Install the lock and the package into .venv, made anew unless `found` fits."""
    if os.path.lexists(VENV) and not (VENV / "pyvenv.cfg").is_file():
        sys.exit(
            ".venv is there but is not a virtual environment (it has no pyvenv.cfg): "
            "move it away, then repeat the same command."
        )
    # Scripts in .venv hold the path of its folder, so a moved one is of no use; nor is one
    # without a stamp, where an interrupt may have left a package half installed.
    anew = any(found.get(key) != wanted[key] for key in ("root", "python"))
    uv = find_uv()
    if not uv and not starts(VENV_PYTHON, "-I", "-m", "pip", "--version"):
        anew = True  # it was made with a uv that has gone since
    if anew and not uv and not can_make_venv():
        sys.exit(
            "This Python cannot make virtual environments with pip in them: "
            "install its venv module (on Debian and Ubuntu: "
            f"`sudo apt install python{python_minor()}-venv`) or name another Python, "
            "as in `make lab PYTHON=...`."
        )
    check_room()

    STAMP.unlink(missing_ok=True)
    if anew:
        say(
            f"Setting up .venv with Python {python_minor()} "
            "(one time, about 3 minutes and 1 GB to download) ..."
        )
        without_pip = ["--without-pip"] if uv else []
        run(sys.executable, "-I", "-m", "venv", "--clear", *without_pip, VENV)
    else:
        say("Bringing .venv up to date ...")
    if uv:
        pip = [uv, "pip", "install", "--quiet", "--python", VENV_PYTHON]
    else:
        # -I: packages that the reader's PYTHONPATH names must not pass for installed ones.
        pip = [VENV_PYTHON, "-I", "-m", "pip", "install", "--quiet"]
        pip += ["--disable-pip-version-check"]
    run(*pip, "--require-hashes", "-r", lock)
    run(*pip, "--no-deps", "--no-build-isolation", "-e", ".")
    STAMP.write_text(json.dumps(wanted), encoding="utf-8")


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other call works on .venv."""
    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build" / "setup.lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is at work in this folder: waiting for it to end ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # some network file systems have no locks: better to go on than to stop
        yield


def check_room() -> None:
    """Stop if the disk has too little room, counting what an old .venv would give back."""
    where = VENV if VENV.exists() else ROOT
    old = sum(path.lstat().st_size for path in VENV.rglob("*"))
    room = shutil.disk_usage(where).free + old
    if room < NEEDED:
        sys.exit(
            f"The disk has {room / GIGABYTE:.1f} GB of room, but the course needs "
            f"{NEEDED / GIGABYTE:.0f} GB: make room, then repeat the same command."
        )


def can_make_venv() -> bool:
    """Debian's python3 lacks a part of venv unless python3-venv is installed."""
    return all(importlib.util.find_spec(name) for name in ("venv", "ensurepip"))


def find_uv() -> str | None:
    """The uv on PATH, if it works. One inside .venv does not count: .venv may be cleared."""
    uv = shutil.which("uv")
    if uv is None or Path(uv).resolve().is_relative_to(VENV.resolve()):
        return None
    return uv if starts(uv, "--version") else None


def python_minor() -> str:
    """The Python that runs this, such as 3.12."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def starts(*command: str | Path) -> bool:
    """Whether the command runs and reports success. Shows nothing."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(*command: str | Path) -> None:
    """Run a command in the course's folder; CalledProcessError if it fails."""
    subprocess.run(command, cwd=ROOT, check=True)


def say(line: str) -> None:
    """Tell the reader what is going on."""
    print(line, file=sys.stderr, flush=True)
