"""Make the pictures of lesson 08: ten photos of digits, and a folder of shapes.

    .venv/bin/python tools/make_examples.py

Both are made up. A photo is a page of the study ``08_photos``: a test digit of MNIST, written
large, with what a phone adds to it. A shape is drawn by a hand that shakes, on paper of any
lightness. They stand for what readers bring themselves, so they are as untidy.
"""

import importlib.util
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from resnet_lesson.mnist import raw_mnist

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "resnet_lesson" / "examples"
# One page for each digit, with what happens to it; none for a clean page.
PAGES = [
    ("noise",),
    (),
    ("shadow",),
    ("ruled",),
    ("vignette",),
    ("pencil",),
    ("tilt",),
    ("squared",),
    ("speck",),
    ("shadow", "ruled"),
]
SHAPES = {
    "circle": [np.exp(2j * np.pi * np.linspace(0, 1, 40))],
    "cross": [np.array([-1 - 1j, 1 + 1j]), np.array([-1 + 1j, 1 - 1j])],
    "spiral": [np.linspace(0.1, 1, 60) * np.exp(4.4j * np.pi * np.linspace(0, 1, 60))],
    "square": [np.array([-1 - 1j, 1 - 1j, 1 + 1j, -1 + 1j, -1 - 1j]) * 0.85],
    "star": [np.exp(2j * np.pi * (2 * np.arange(6) / 5 - 0.25))],
    "triangle": [np.exp(2j * np.pi * (np.arange(4) / 3 - 0.25))],
}
EACH, SIDE, LARGE = 40, 40, 8  # images of a shape, pixels a side, and pixels drawn for each of them


def photo(digit, seed):
    """Return a page with a digit, uint8."""
    path = ROOT / "benchmarks" / "studies" / "08_photos.py"
    spec = importlib.util.spec_from_file_location("photos", path)
    study = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(study)
    raw, chance = raw_mnist(), np.random.default_rng(seed)
    at = chance.choice(np.flatnonzero(raw["y_test"] == digit))
    return study.page([raw["x_test"][at]], PAGES[digit], chance)


def shape(strokes, chance):
    """Return one drawing of a shape, uint8 (SIDE, SIDE)."""
    paper = chance.uniform(170, 245)
    page = Image.new("L", (SIDE * LARGE, SIDE * LARGE), int(paper))
    pen = ImageDraw.Draw(page)
    ink, width = int(paper - chance.uniform(80, 150)), int(chance.uniform(1.2, 2.6) * LARGE)
    turn = np.exp(1j * np.deg2rad(chance.uniform(-25, 25)))
    wide, high = chance.uniform(0.22, 0.38) * SIDE * LARGE * chance.uniform(0.85, 1.15, 2)
    middle = SIDE * LARGE * (0.5 + chance.uniform(-0.1, 0.1, 2))
    for corners in strokes:
        points = shaken(corners, chance) * turn
        x, y = middle[0] + wide * points.real, middle[1] + high * points.imag
        pen.line(list(zip(x, y, strict=True)), fill=ink, width=width, joint="curve")
    small = np.asarray(page.resize((SIDE, SIDE), Image.Resampling.BOX), float)
    slope = chance.uniform(-12, 12, 2)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    seen = small + slope[0] * y + slope[1] * x + chance.normal(0, 2, small.shape)
    return np.clip(np.rint(seen), 0, 255).astype(np.uint8)


def shaken(corners, chance):
    """Return points along a stroke, off it as a hand would put them."""
    steps = np.concatenate([[0], np.cumsum(np.abs(np.diff(corners)))])
    along = np.linspace(0, steps[-1], 60)
    points = np.interp(along, steps, corners.real) + 1j * np.interp(along, steps, corners.imag)
    waves = sum(
        (chance.normal() + 1j * chance.normal())
        * np.sin(along * chance.uniform(1, 5) + chance.uniform(0, 2 * np.pi))
        for _ in range(3)
    )
    return points + 0.05 * waves


def main():
    FOLDER.mkdir(exist_ok=True)
    for digit in range(10):
        page = Image.fromarray(photo(digit, 600 + digit)).resize((480, 360))
        page.save(FOLDER / f"photo_{digit}.jpg", quality=50)
    chance = np.random.default_rng(0)
    # One stream for all of them: hundreds of small pictures have hundreds of equal headers.
    with tarfile.open(FOLDER / "shapes.tar.xz", "w:xz") as archive:
        for name, strokes in SHAPES.items():
            for number in range(EACH):
                file = io.BytesIO()
                Image.fromarray(shape(strokes, chance)).save(file, "JPEG", quality=50)
                info = tarfile.TarInfo(f"shapes/{name}/{number:02}.jpg")
                info.size = file.tell()
                file.seek(0)
                archive.addfile(info, file)


if __name__ == "__main__":
    main()
