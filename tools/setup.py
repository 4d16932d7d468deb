"""Make .venv with all that the course needs. Returns at once when nothing is to do.

With --lab: what a reader needs, without what tests and builds it. A .venv that has all keeps it.
Any Python since 2.7 must be able to read this file: a wrong one gets a sentence, not a
syntax error. The work itself is in environment.py, for the right ones.
"""

import os
import platform
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def supported_minors():
    """The supported Pythons as [11, 12, ...]: read from pyproject.toml, written only there."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        text = file.read().decode("utf-8")
    bounds = re.search(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"', text, re.MULTILINE)
    return list(range(int(bounds.group(1)), int(bounds.group(2))))


def refusal(version, system, machine, is_64bit):
    """Why the course cannot be set up here, in one sentence, or None.

    `version` is (major, minor); `system` and `machine` are as in the platform module.
    """
    minors = supported_minors()
    if version[0] != 3 or version[1] not in minors:
        return (
            "This is Python %d.%d, but the course needs Python 3.%d to 3.%d: "  # noqa: UP031
            "name another one, for example `make lab PYTHON=python3.%d`."
            % (version[0], version[1], minors[0], minors[-1], minors[len(minors) // 2])
        )
    if system == "Windows":
        return "On Windows, set the course up with conda, as environment.yml says, or use Colab."
    if not is_64bit:
        return (
            "This is a 32-bit Python, but TensorFlow needs a 64-bit one: "
            "name one, as in `make lab PYTHON=...`."
        )
    if system == "Darwin" and machine == "x86_64":
        return (
            "There is no current TensorFlow for Macs with an Intel processor, "
            "nor for an Intel Python on a newer Mac: use the course in Colab."
        )
    return None


def main():
    """Refuse with one sentence, or do the work."""
    reason = refusal(
        sys.version_info[:2], platform.system(), platform.machine(), sys.maxsize > 2**32
    )
    if reason:
        sys.exit(reason)
    import environment  # only a supported Python can read it

    environment.main(lab="--lab" in sys.argv[1:])


if __name__ == "__main__":
    main()
