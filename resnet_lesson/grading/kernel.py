"""A Jupyter kernel for a hand-in: of this Python, in an empty folder, with limits.

Nobody listens to what the cells show, so no output is too long. Of each cell the kernel's reply
says whether it ended, and which error it raised.
"""

import ast
import contextlib
import json
import logging
import os
import queue
import site
import subprocess
import time
from pathlib import Path

import psutil
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager

# Seconds: to import the package; to say what the checks have found; to end after an interrupt.
START, REPORT, GRACE = 120, 20, 5
_MODULE = '__import__("resnet_lesson.grading.hand_in", fromlist=["*"])'
# The variables without which Python or TensorFlow may not start, the last two lines on Windows.
NEEDED = (
    *("PATH", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "PYTHONPATH", "TMPDIR", "TEMP"),
    *("TMP", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT"),
)
# Where a program looks for its user's files; all but the first on Windows.
HOMES = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA")


class Ended(Exception):
    """The kernel is gone; the text says why, after "this cell"."""


class Kernel:
    """A kernel that has loaded the package.

    Args:
        folder: pathlib.Path of a folder of its own.
        gibibytes: so much memory ends it.

    Raises:
        Ended: it did not start.
    """

    def __init__(self, folder, gibibytes):
        self.bytes = gibibytes * 2**30
        work = folder / "work"
        work.mkdir(exist_ok=True)
        self.manager = KernelManager(
            kernel_spec_manager=_ThisPython(),
            connection_file=str(folder / "kernel.json"),
            log=logging.Logger("grading", logging.CRITICAL + 1),
        )
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.manager.start_kernel(cwd=str(work), env=environment(work), **nowhere)
        self.process = self.manager.provisioner.process
        self.client = self.manager.client()
        try:
            self.client.start_channels(iopub=False, stdin=False, hb=False, control=False)
            reply = self.run(f"{_MODULE}.watch()", START, store_history=False)
            if reply["status"] != "ok":
                raise Ended(f"{reply['ename']}: {reply['evalue']}")
        except BaseException:
            self.end()
            raise

    def run(self, code, seconds, **options):
        """Run code and return the content of the kernel's reply, and whether it was ``late``.

        Args:
            code: text of a cell.
            seconds: after so many it is interrupted, and ended if it takes no notice.
            options: of ``KernelClient.execute``.

        Raises:
            Ended: the kernel died, or was ended.
        """
        request = self.client.execute(code, allow_stdin=False, stop_on_error=False, **options)
        late, limit = False, time.monotonic() + seconds
        while True:
            try:
                reply = self.client.get_shell_msg(timeout=0.1)
                if reply["parent_header"].get("msg_id") == request:
                    return reply["content"] | {"late": late}
            except queue.Empty:
                pass
            if self.process.poll() is not None:
                raise Ended(f"ended the kernel (exit code {self.process.returncode})")
            if self._memory() > self.bytes:
                raise Ended(f"was ended: it used more than {self.bytes / 2**30:g} GiB")
            if time.monotonic() > limit:
                if late:
                    raise Ended(f"was ended after {seconds:.0f} seconds")
                self.manager.interrupt_kernel()
                late, limit = True, time.monotonic() + GRACE

    def report(self):
        """Return what the checks have found by now: see ``hand_in.report``."""
        ask = {"report": f"{_MODULE}.report()"}
        reply = self.run("", REPORT, silent=True, user_expressions=ask)
        answer = reply.get("user_expressions", {}).get("report", {})
        if answer.get("status") != "ok":
            raise Ended("left a kernel that cannot be asked for its results")
        found = json.loads(ast.literal_eval(answer["data"]["text/plain"]))
        if found["leaving"]:
            raise Ended("ended the kernel")
        return found

    def end(self):
        """End the kernel and all that it started."""
        family = self._family()
        self.client.shell_channel.stop()
        self.manager.shutdown_kernel(now=True)
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _family(self):
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.Error:
            return []  # it has just ended

    def _memory(self):
        with contextlib.suppress(psutil.Error):
            return sum(process.memory_info().rss for process in self._family())
        return 0


def environment(home):
    """Return a kernel's variables: the grader's own, which may hold keys, stay with the grader.

    Args:
        home: pathlib.Path of the folder that is the hand-in's home.
    """
    data = os.environ.get("KERAS_HOME", Path.home() / ".keras")  # where Fashion-MNIST is
    given = dict.fromkeys(HOMES, str(home)) | {
        "HOMEDRIVE": home.drive,
        "HOMEPATH": str(home)[len(home.drive) :],
        "KERAS_HOME": str(data),
        "PYTHONUSERBASE": site.getuserbase(),  # packages that are installed for the grader alone
        "IPYTHONDIR": str(home.parent / "ipython"),
        "PIP_DRY_RUN": "1",  # `%pip install` must not change the grader's packages
        "TQDM_DISABLE": "1",
    }
    return {name: os.environ[name] for name in NEEDED if name in os.environ} | given


class _ThisPython(KernelSpecManager):
    """Starts the Python that runs this file, whatever kernels are installed."""

    def get_kernel_spec(self, kernel_name):
        argv = [*make_ipkernel_cmd(), "--log-level=ERROR"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")
