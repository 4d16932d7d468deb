"""What may go wrong on a reader's machine, provoked for real.

Trouble with the set-up is in test_repository, with data files in test_data, with notebook builds in
test_notebooks, with workers in test_sweep and test_distributed.
"""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client.manager import start_new_kernel
from memory_limit import limited

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
SMALL = """
import resnet_lesson
from resnet_lesson import plots
from resnet_lesson.data import load_mnist
from resnet_lesson.sweep import sweep
few = load_mnist(train=640, val=0, test=0)
runs = sweep({"net": {"depth": 8}}, [0, 1], few, updates=4, workers=2)
print([run.loss for run in runs])
plots.show(*plots.learning_curves(runs, window=1))
"""
LONG = SMALL.replace("updates=4", "updates=10**6")
RUN = """
import sys, nbformat
from nbclient import NotebookClient
nb = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(nb, timeout=120, kernel_name="python3").execute()
nbformat.write(nb, sys.argv[1])
"""


def run(command, changes=None, **options):
    """Run a command with changed environment variables; return what became of it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1", **(changes or {})}
    environment = {name: value for name, value in environment.items() if value is not None}
    options = {"cwd": ROOT, "timeout": 300, **options}
    return subprocess.run(command, env=environment, capture_output=True, text=True, **options)


def outputs_under(folder, changes, prefix=()):
    """Run the small notebook with changed environment variables; return what its cell shows."""
    path = folder / "small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SMALL)]), path)
    done = run([*prefix, sys.executable, "-c", RUN, path], changes)
    assert done.returncode == 0, done.stderr[-2000:]
    return nbformat.read(path, as_version=4).cells[0].outputs


def half_of_cuda(folder):
    """Make libraries of CUDA's names that are none."""
    for name in ("libcuda.so.1", "libcudart.so.12", "libcudnn.so.9", "libcublas.so.12"):
        (folder / name).write_bytes(b"\x7fELF, but not really")
    return {"LD_LIBRARY_PATH": str(folder)}


def odd_home(folder):
    home = folder / "我的 文件夹"
    home.mkdir()
    return {"HOME": str(home)}


CONDITIONS = {
    "the same again": lambda folder: {},
    "home with a space and Chinese characters": odd_home,
    "no home": lambda folder: {"HOME": None},
    "locale C": lambda folder: {"LC_ALL": "C", "LANG": None, "PYTHONUTF8": "0"},
    "locale zh_CN": lambda folder: {"LC_ALL": "zh_CN.UTF-8"},
    "no display": lambda folder: {"DISPLAY": None, "WAYLAND_DISPLAY": None, "MPLBACKEND": None},
    "half of CUDA": half_of_cuda,
}


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    return outputs_under(tmp_path_factory.mktemp("usual"), {})


@pytest.mark.parametrize("condition", CONDITIONS)
def test_losses_and_figures_are_the_same_bits_under(condition, usual, tmp_path):
    assert outputs_under(tmp_path, CONDITIONS[condition](tmp_path)) == usual


def test_losses_and_figures_are_the_same_bits_without_a_network(usual, tmp_path):
    cut_off = ["unshare", "--map-root-user", "--net"]
    # Jupyter speaks to its kernel through the loopback device, which a new network has not up.
    prefix = [*cut_off, "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if run([*prefix, "true"]).returncode:
        pytest.skip("no network can be cut off here: unshare or ip is missing or not allowed")
    assert outputs_under(tmp_path, {}, prefix) == usual


@pytest.fixture
def read_only_home(tmp_path):
    """Give the start of a command that runs the rest of it with a home that nobody can write to."""
    home = tmp_path / "home"
    home.mkdir()
    script = 'mount -t tmpfs -o ro none "$HOME" && exec "$@"'
    mount = ["unshare", "--map-root-user", "--mount", "env", f"HOME={home}"]
    prefix = [*mount, "sh", "-c", script, "sh"]
    if run([*prefix, "true"]).returncode:
        pytest.skip("nothing can be mounted here: unshare or mount is missing or not allowed")
    return prefix


def test_losses_and_figures_are_the_same_bits_with_a_read_only_home(
    usual, read_only_home, tmp_path
):
    changes = {"JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    shown = outputs_under(tmp_path, changes, read_only_home)
    # Matplotlib says that it keeps its cache elsewhere. `make lab` gives it another home.
    said = [output.text for output in shown if output.get("name") == "stderr"]
    assert [output for output in shown if output.get("name") != "stderr"] == usual
    assert all("atplotlib" in text and "Traceback" not in text for text in said)


def test_the_lab_starts_with_a_read_only_home(read_only_home):
    command = [*read_only_home, "make", "lab", "LAB_ARGS=--no-browser --allow-root --port=0"]
    assert "Traceback" not in first_lines(command, ROOT)


def first_lines(command, folder):
    """Start JupyterLab; return what it says up to its address, and end it."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    server = subprocess.Popen(command, cwd=folder, text=True, start_new_session=True, **pipes)
    said = ""
    try:
        while "token=" not in said:
            line = server.stdout.readline()
            assert line, said
            said += line
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.communicate()
    return said


# -- Kernels ---------------------------------------------------------------------------------------


@pytest.fixture
def kernel(monkeypatch):
    """Give (manager, client) of a kernel."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    manager, client = start_new_kernel(kernel_name="python3", cwd=ROOT / "notebooks")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def errors_of(client, cells):
    """Run cells; return the errors."""
    options = {"timeout": 300, "store_history": False, "output_hook": lambda message: None}
    replies = [client.execute_interactive(cell, **options)["content"] for cell in cells]
    return [reply["evalue"] for reply in replies if reply["status"] == "error"]


def descendants(manager):
    return psutil.Process(manager.provisioner.pid).children(recursive=True)


def wait_until(true, seconds):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.2)


def wait_for_training(manager):
    wait_until(lambda: sum(p.cpu_percent(0.1) > 20 for p in descendants(manager)) >= 2, 60)


def code_of(lesson):
    nb = nbformat.read(ROOT / "notebooks" / f"{lesson}.ipynb", as_version=4)
    return [cell.source for cell in nb.cells if cell.cell_type == "code"]


def test_a_kernel_killed_in_mid_training_leaves_nothing_and_can_be_started_again(kernel):
    manager, client = kernel
    client.execute(LONG)
    wait_for_training(manager)
    workers = descendants(manager)
    os.kill(manager.provisioner.pid, signal.SIGKILL)
    _, left = psutil.wait_procs(workers, timeout=20)
    assert left == []
    manager.restart_kernel(now=True)
    client.wait_for_ready(timeout=60)
    assert errors_of(client, [SMALL]) == []


def test_an_interrupted_lesson_runs_through_afterwards(kernel):
    manager, client = kernel
    cells = code_of("00_start_here")
    at = next(i for i, cell in enumerate(cells) if "sweep(" in cell)
    assert errors_of(client, cells[:at]) == []
    asked = client.execute(cells[at])
    wait_for_training(manager)
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=60)
    while reply["parent_header"].get("msg_id") != asked:
        reply = client.get_shell_msg(timeout=60)
    wait_until(lambda: len(descendants(manager)) <= 1, 20)  # multiprocessing's tracker may stay
    assert errors_of(client, cells) == []


def test_each_cell_of_a_lesson_can_be_run_twice_and_all_of_them_backwards(kernel):
    _, client = kernel
    cells = code_of("00_start_here")
    assert errors_of(client, [cell for cell in cells for _ in range(2)]) == []
    assert errors_of(client, reversed(cells)) == []


# -- Disk and ports --------------------------------------------------------------------------------


def small_files_only():
    """Let files grow to 20 kB: the next write fails, as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_a_model_that_cannot_be_saved_leaves_the_old_file(tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(b"what was there before")
    command = [sys.executable, "-m", "resnet_lesson.recipe", "--epochs", "1", "--save", path]
    done = run(command, preexec_fn=small_files_only)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr
    assert path.read_bytes() == b"what was there before"
    assert [found.name for found in tmp_path.iterdir()] == ["model.keras"]


def test_a_site_that_cannot_be_written_leaves_the_old_one():
    def site():
        return {path: path.stat().st_mtime_ns for path in ROOT.glob("build/site/**/*")}

    before = site()
    done = run([sys.executable, "tools/book.py"], preexec_fn=small_files_only)
    assert done.returncode
    assert "File too large" in done.stdout + done.stderr
    assert site() == before


def test_a_port_that_is_taken_is_told_and_another_one_serves(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", f"--port={port}"]
        said = first_lines([*command, "--no-browser", "--allow-root"], tmp_path)
    assert f"port {port} is already in use, trying another port" in said
    assert f":{port}/" not in said
    assert "http://127.0.0.1:" in said


def within(limit, *command):
    """Run a command within a limit in bytes; return what became of it."""
    with limited(command, limit) as line:
        if line is None:
            pytest.skip("memory cannot be limited here: see tools/memory_limit.py")
        return run(line, timeout=900)


# `make verdicts` runs all lessons so. Here are the one with the largest data and the hungriest one.
@pytest.mark.parametrize("lesson", ["00_start_here", "06_reading_the_article"])
def test_a_lesson_needs_no_more_than_two_gigabytes(lesson):
    grabbing = [sys.executable, "-c", "b'x' * 3_000_000_000"]
    assert within(2**30, *grabbing).returncode, "the limit does not work"
    command = [sys.executable, "-m", "jupyter", "execute", f"notebooks/{lesson}.ipynb"]
    done = within(2 * 2**30, *command)
    assert done.returncode == 0, done.stderr[-2000:]
