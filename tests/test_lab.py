"""JupyterLab as `make lab` starts it, used through a real browser as a reader would."""

import contextlib
import re
import time
from pathlib import Path

import browser
import nbformat
import pytest
from commands import environment, jupyterlab, make

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from playwright.sync_api import TimeoutError

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
FIRST = "00_start_here.ipynb"
MOVING = """
from resnet_lesson import plots, widgets
import numpy as np

def line(slope):
    return plots.curves([0, 1], {"line": [0, slope]}, "x", f"slope {slope}")

box = widgets.explore(line, {"slope": 1}, slope=range(1, 6))
pad = widgets.draw_digit(lambda image: np.eye(10)[7])
"""
MICROSCOPE = """
from resnet_lesson import widgets

shown = widgets.open_microscope("depth=20&digit=4&open=r2")
"""


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    """Start the server on copies of the notebooks; give its address, its token and the folder."""
    folder = tmp_path_factory.mktemp("lab")
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    lesson = nbformat.read(ROOT / "notebooks" / FIRST, as_version=4)
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(lesson, notebooks / FIRST)
    for name, code in (("moving", MOVING), ("microscope", MICROSCOPE)):
        nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(nb, notebooks / f"{name}.ipynb")
    # `make lab` itself, but among the copies: JupyterLab writes to what it shows.
    options = "LAB_ARGS=--no-browser --port=0 --allow-root"
    home = {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_DATA_DIR": str(folder / "data")}
    outer = {name: value for name, value in environment().items() if not name.startswith("JPY_")}
    command = make("-f", str(ROOT / "Makefile"), "lab", options)
    with jupyterlab(command, folder / "log", cwd=folder, env=outer | home) as (address, token):
        yield address, token, notebooks


@contextlib.contextmanager
def all_cells_run(chromium, lab, name):
    """Open a notebook in JupyterLab and choose "Run All Cells"; give the page."""
    address, token, _ = lab
    watched = browser.Watched(chromium, address, width=1500, height=900)
    page = watched.page
    try:
        page.goto(f"{address}/lab/tree/notebooks/{name}?token={token}&reset")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=60_000)
        page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=60_000)
        for _ in range(5):
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.get_by_role("menuitem", name=re.compile("Run All Cells")).first.click()
            # While it connects to the kernel, JupyterLab runs no code, and does not say so.
            with contextlib.suppress(TimeoutError):
                prompts = ".jp-InputPrompt:text-matches('[*0-9]')"
                page.wait_for_selector(prompts, timeout=5000)
                break
        yield page
    finally:
        watched.context.close()


def saved_cells(page, path, seconds):
    """Save the notebook again and again until all its code cells have run; return those.

    The page itself holds only the cells that are in sight.
    """
    deadline = time.monotonic() + seconds
    while True:
        page.keyboard.press("Control+s")
        page.wait_for_timeout(2000)
        cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        left = [cell for cell in cells if cell.execution_count is None]
        if not left:
            return cells
        assert time.monotonic() < deadline, f"{len(left)} of {len(cells)} cells have not run"


def test_the_first_lesson_runs_with_run_all_cells(chromium, lab):
    with all_cells_run(chromium, lab, FIRST) as page:
        cells = saved_cells(page, lab[2] / FIRST, 240)
        kinds = [output.output_type for cell in cells for output in cell.outputs]
        assert "error" not in kinds
        committed = nbformat.read(ROOT / "notebooks" / FIRST, as_version=4).cells
        # A sweep's progress bar is here, and not in the committed notebook.
        with_outputs = [
            bool(c.outputs) or "sweep(\n" in c.source for c in committed if c.cell_type == "code"
        ]
        assert [bool(cell.outputs) for cell in cells] == with_outputs
        # The last thing that was run is in sight, with its output.
        assert page.locator(".jp-OutputArea-output:visible").count()
        assert not page.locator(".jp-RenderedText[data-mime-type*='stderr']").count()


def test_a_slider_moves_its_figure_and_the_pad_reads(chromium, lab):
    with all_cells_run(chromium, lab, "moving.ipynb") as page:
        slider = page.get_by_role("slider").first
        slider.wait_for(timeout=120_000)
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


def test_the_microscope_runs_in_the_notebook_and_leaves_the_address_alone(chromium, lab):
    with all_cells_run(chromium, lab, "microscope.ipynb") as page:
        page.wait_for_selector(".scope[data-ready]", timeout=120_000)
        before = page.url
        assert "20 layers" in page.locator("[data-kind=residual] .what").inner_text()
        page.get_by_role("button", name="Cut the residual network's shortcuts").click()
        page.get_by_text("All shortcuts of the residual network are at 0.00").wait_for()
        page.wait_for_function(
            "![...document.querySelectorAll('.count')].some((e) => e.textContent.includes('…'))"
        )
        page.locator(".race summary").click()
        page.get_by_role("button", name="Start the race").click()  # its digits come only now
        page.wait_for_selector(".chart polyline", timeout=30_000)
        page.get_by_role("button", name="Stop", exact=True).click()
        assert page.url == before
