"""Execute a notebook in a fresh kernel of the interpreter that runs this file."""

import asyncio
import logging
import os
import re
import tempfile
from pathlib import Path

from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from notebook_checks import WIDGET, cell_name, plain


class Refused(Exception):
    """A notebook that must not be written; the message says why."""


def execute(nb: NotebookNode, folder: Path, root: Path, timeout: float) -> None:
    """Run all cells from top to bottom; their outputs go into the notebook.

    Args:
        nb: The notebook, changed in place.
        folder: The folder that the kernel runs in.
        root: The folder that the kernel imports the package from.
        timeout: The longest that a cell may take, in seconds.

    Raises:
        Refused: A cell raised or took too long, or the kernel died.
        KeyboardInterrupt: Ctrl-C was pressed; the kernel has been ended.
    """
    asyncio.run(_run(nb, folder, root, timeout))
    _tidy(nb)


class _ThisPython(KernelSpecManager):
    """Start the interpreter that runs this file, whatever kernels are installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        # The log level hides ipykernel's warning about its local, unencrypted connection.
        argv = [*make_ipkernel_cmd(), "--log-level=ERROR"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


async def _run(nb: NotebookNode, folder: Path, root: Path, timeout: float) -> None:
    """Run all cells in a fresh kernel; outputs go into the notebook."""
    quiet = logging.Logger("notebooks", logging.CRITICAL + 1)
    kernel = AsyncKernelManager(kernel_spec_manager=_ThisPython(), log=quiet)
    client = NotebookClient(
        nb, km=kernel, timeout=timeout, startup_timeout=120, record_timing=False, log=quiet
    )
    number, cell = 0, None
    with tempfile.TemporaryDirectory() as scratch, open(Path(scratch, "log"), "w+b") as log:
        # ipykernel repeats a cell's output on its own stdout and stderr, so they go elsewhere.
        streams = {"stdout": log, "stderr": log}
        try:
            environment = _environment(root, scratch)
            await client.async_start_new_kernel(cwd=str(folder), env=environment, **streams)
            await client.async_start_new_kernel_client()
            for number, cell in enumerate(nb.cells, 1):
                count = client.code_cells_executed + 1
                await client.async_execute_cell(cell, number - 1, execution_count=count)
        except CellExecutionError as error:
            raise Refused(_failure(number, cell, error)) from None
        except CellTimeoutError:
            late = f"{cell_name(number, cell)}: takes longer than {timeout:g} seconds"
            raise Refused(late) from None
        except RuntimeError as error:
            if asyncio.current_task().cancelling():
                raise asyncio.CancelledError from None  # Ctrl-C, which nbclient takes for a death
            if isinstance(error, DeadKernelError) and cell:
                log.seek(0)
                lines = log.read().decode(errors="replace").splitlines()[-8:]
                last = "".join(f"\n    {line}" for line in lines)
                raise Refused(f"{cell_name(number, cell)}: the kernel died{last}") from None
            raise Refused(f"the kernel did not start: {error}") from None
        finally:
            if client.kc:
                client.kc.stop_channels()
            if kernel.has_kernel:
                await kernel.shutdown_kernel(now=True)


def _environment(root: Path, scratch: str) -> dict[str, str]:
    """Return the kernel's environment, without what an author's own set-up would change."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONWARNINGS", "NO_COLOR")}
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    return environment | {
        "PYTHONPATH": path,  # the package that the hash belongs to
        "PYTHONHASHSEED": "0",
        "IPYTHONDIR": scratch,  # no start-up files, no history
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "TQDM_DISABLE": "1",  # tqdm's bars in text; the others are widgets, see _tidy
        "COLUMNS": "100",
    }


def _failure(number: int, cell: NotebookNode, error: CellExecutionError) -> str:
    """Describe a cell that raised: where, its first lines, the end of the traceback."""
    head = "\n".join(f"    | {line}" for line in cell.source.splitlines()[:8])
    trace = "\n".join(f"    {line}" for line in plain(error.traceback).splitlines()[-15:])
    what = f"{error.ename}: {plain(error.evalue)}"
    return f"{cell_name(number, cell)}: raises {what}\n{head}\n{trace}"


def _tidy(nb: NotebookNode) -> None:
    """Drop progress bars, merge streams, keep of each line what a terminal would show."""
    for cell in nb.cells:
        merged: list[NotebookNode] = []
        for output in cell.get("outputs", []):
            if WIDGET in output.get("data", {}):
                continue  # a progress bar: it lives in the kernel and shows nothing on a page
            last = merged[-1] if merged else {}
            if output.output_type == "stream" and last.get("name") == output.name:
                last.text += output.text
            else:
                merged.append(output)
        for output in merged:
            if output.output_type == "stream":
                output.text = re.sub(r"[^\n]*\r(?=[^\n])", "", re.sub(r"\r+\n", "\n", output.text))
        if cell.cell_type == "code":
            cell.outputs = merged
