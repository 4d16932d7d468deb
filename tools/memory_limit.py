"""Run a command with a limit on the memory of all its processes together, where Linux allows it."""

import contextlib
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

CONTROLLER = Path("/sys/fs/cgroup/memory")  # of control groups, version 1


@contextlib.contextmanager
def limited(command: Sequence[str | Path], limit: int) -> Iterator[list[str] | None]:
    """Give the command that runs ``command`` within the limit, or None where that cannot be had.

    Who asks for more is killed by the system. A group of this process's own serves where control
    groups of version 1 can be written to, systemd elsewhere.

    Args:
        command: its words.
        limit: bytes.
    """
    words = [str(word) for word in command]
    if (group := _group(limit)) is not None:
        try:
            yield ["sh", "-c", f'echo $$ > "{group}/cgroup.procs" && exec "$@"', "sh", *words]
        finally:
            with contextlib.suppress(OSError):  # a process of the command may still be ending
                group.rmdir()
        return
    scope = ["systemd-run", "--user", "--scope", "--quiet"]
    scope += ["-p", f"MemoryMax={limit}", "-p", "MemorySwapMax=0"]
    there = (
        shutil.which("systemd-run")
        and not subprocess.run([*scope, "true"], capture_output=True, check=False).returncode
    )
    yield [*scope, *words] if there else None


def _group(limit):
    """Make a control group below the one of this process; return its folder, or None."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
        own = next(line.split(":", 2)[2] for line in lines if ":memory:" in line)
        for parent in (CONTROLLER / own.lstrip("/"), CONTROLLER):  # in a container, the second
            if (parent / "memory.limit_in_bytes").exists():
                group = parent / f"resnet-lesson-{uuid.uuid4().hex}"
                group.mkdir()
                (group / "memory.limit_in_bytes").write_text(str(limit), encoding="utf-8")
                return group
    except (OSError, StopIteration):
        pass
    return None
