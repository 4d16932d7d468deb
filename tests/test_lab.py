"""JupyterLab as `make lab` starts it, used through a real browser as a reader would."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import browser
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
MOVING = """
from resnet_lesson import drawing, plots
from resnet_lesson.explorers import explore
import numpy as np

def line(slope):
    return plots.curves([0, 1], {"line": [0, slope]}, "x", f"slope {slope}")

box = explore(line, {"slope": 1}, slope=range(1, 6))
pad = drawing.show(lambda image: np.eye(10)[7])
"""


def notebook(code):
    import nbformat

    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    return nbformat.writes(nb)


def _answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Start the server on copies of the notebooks; give its address and token."""
    browser.chromium()
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    (folder / "notebooks" / "moving.ipynb").write_text(notebook(MOVING))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--no-browser --port={port} --allow-root"
    asked = ["make", "--dry-run", "lab", f"LAB_ARGS={options}"]
    printed = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    _, python, rest = printed.replace("\\\n", " ").rpartition(".venv/bin/python")
    # The same server, but among the copies: JupyterLab writes to what it shows.
    command = [str(ROOT / python), *shlex.split(rest)]
    assert "jupyterlab" in command
    home = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_DATA_DIR": str(folder / "data")}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JPY_")} | home
    log = folder / "log"
    with log.open("w") as file:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        for _ in range(600):
            found = re.search(rf"http://127\.0\.0\.1:{port}/\S*token=(\w+)", log.read_text())
            if found and _answers(port):
                break
            assert server.poll() is None, log.read_text()[-2000:]
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", found[1]
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


@pytest.fixture(scope="module")
def chromium():
    with browser.launched() as started:
        yield started


def opened(chromium, lab, name):
    """Open a notebook in JupyterLab and run all its cells."""
    address, token = lab
    watched = browser.Watched(chromium, address, width=1500, height=900)
    page = watched.page
    page.goto(f"{address}/lab/tree/notebooks/{name}?token={token}&reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
    page.wait_for_selector(".jp-NotebookPanel-toolbar")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("Run All Cells")).first.click()
    return watched


def wait_until_idle(page, seconds):
    page.wait_for_function(
        """() => [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")]
        .every((e) => /\\[\\d+\\]/.test(e.textContent))""",
        timeout=1000 * seconds,
    )


def test_a_slider_moves_its_figure_and_the_pad_reads(chromium, lab):
    page = opened(chromium, lab, "moving.ipynb").page
    wait_until_idle(page, 120)
    slider = page.get_by_role("slider").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector("img[alt*='slope 2']", timeout=10_000)

    field = page.locator("canvas.field")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 60)
    page.mouse.down()
    for step in range(20):
        page.mouse.move(box["x"] + 80 + 5 * step, box["y"] + 60 + 4 * step)
    page.mouse.up()
    page.get_by_text("Read: 7 (100.0%)").wait_for(timeout=10_000)
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("Draw a digit.").wait_for(timeout=10_000)
    field.focus()
    for key in ("Space", *["ArrowDown"] * 8, "Space"):
        page.keyboard.press(key)
    page.get_by_text("Read: 7 (100.0%)").wait_for(timeout=10_000)
