"""A digit of one's own: MNIST's own digits, photographed, must come back as they were."""

import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from resnet_lesson import handwriting
from resnet_lesson.data import standardise
from resnet_lesson.handwriting import centre_by_mass, like_mnist, read_photo
from resnet_lesson.mnist import raw_mnist
from resnet_lesson.recipe import trained_network
from resnet_lesson.studies import read_study

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "studies" / "08_photos.py"
_spec = importlib.util.spec_from_file_location("photos", SCRIPT)
photos = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(photos)


def photo(digit, seed=0, scale=6, paper=210, shade=40, dark=0.8, noise=3):
    """Put an enlarged digit somewhere on unevenly lit paper."""
    draw = np.random.default_rng(seed)
    side = 28 * scale
    ink = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC))
    page = np.zeros((side + 60, side + 120))
    top, left = draw.integers(0, 61), draw.integers(0, 121)
    page[top : top + side, left : left + side] = ink
    y, x = np.mgrid[: page.shape[0], : page.shape[1]]
    light = paper + shade * (x / page.shape[1] - y / page.shape[0]) / 2
    light = light + draw.normal(0, noise, page.shape)
    return np.clip(light * (1 - dark * page / 255), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def digits():
    return raw_mnist()["x_test"][:24]


def difference(a, b):
    """Return the difference at the best shift of a pixel at most, as a share of the ink."""
    a, b = a.astype(float), b.astype(float)
    shifts = [np.roll(a, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return min(np.abs(one - b).sum() for one in shifts) / b.sum()


def test_digits_of_mnist_stay_nearly_as_they_are(digits):
    found = [difference(like_mnist(digit).centred, digit) for digit in digits]
    assert np.median(found) < 0.15 and max(found) < 0.6


@pytest.mark.parametrize(
    "options", [{}, {"scale": 10}, {"shade": 120}, {"dark": 0.35}, {"noise": 0}, {"paper": 160}]
)
def test_photographed_digits_come_back(digits, options):
    found = [
        difference(like_mnist(photo(digit, seed, **options)).centred, digit)
        for seed, digit in enumerate(digits)
    ]
    assert np.median(found) < 0.35 and np.mean(np.array(found) < 0.6) > 0.9


def test_light_on_dark_is_like_dark_on_light(digits):
    for seed, digit in enumerate(digits[:10]):
        page = photo(digit, seed, noise=0)
        found = like_mnist(page).centred, like_mnist(255 - page).centred
        assert np.abs(found[0].astype(int) - found[1]).max() <= 2


def test_each_step_is_what_it_says(digits):
    steps = like_mnist(photo(digits[0]))
    assert steps.ink.shape == steps.grey.shape
    assert np.mean(steps.ink == 0) > 0.5  # most of it is paper
    assert steps.cropped.any(axis=0)[[0, -1]].all() and steps.cropped.any(axis=1)[[0, -1]].all()
    assert max(steps.boxed.shape) == handwriting.BOX and steps.boxed.max() == 255
    proportions = [side[0] / side[1] for side in (steps.cropped.shape, steps.boxed.shape)]
    assert proportions[0] == pytest.approx(proportions[1], rel=0.08)
    assert steps.centred.shape == (28, 28) and steps.centred.dtype == np.uint8
    assert steps.centred.sum() == steps.boxed.sum()


@pytest.mark.parametrize("shape", [(20, 1), (1, 20), (20, 20), (20, 13), (7, 20)])
def test_the_centre_of_mass_is_in_the_middle(shape):
    box = np.random.default_rng(0).integers(1, 255, shape).astype(np.uint8)
    field = centre_by_mass(box)
    y, x = np.mgrid[:28, :28]
    centre = [(field * at).sum(dtype=float) / field.sum(dtype=float) for at in (y, x)]
    np.testing.assert_allclose(centre, 13.5, atol=0.51)


def test_mnist_was_centred_so(digits):
    y, x = np.mgrid[:28, :28]
    for digit in digits:
        centre = [(digit * at).sum(dtype=float) / digit.sum(dtype=float) for at in (y, x)]
        np.testing.assert_allclose(centre, 13.5, atol=1.01)


def test_all_of_a_lopsided_digit_stays_on_the_field():
    box = np.ones((20, 20), np.uint8)
    box[0, 0] = 255
    box[:3, :3] = 255
    assert centre_by_mass(box).sum() == box.sum()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "LA", "I;16"])
def test_photos_of_every_kind_are_read(tmp_path, mode):
    page = Image.new("L", (60, 40), "white")
    ImageDraw.Draw(page).line((10, 5, 50, 35), fill=0, width=4)
    if mode == "I;16":
        page = Image.fromarray(np.asarray(page).astype(np.uint16) * 257)
    else:
        page = page.convert(mode)
    page.save(tmp_path / "page.png")
    grey = read_photo(tmp_path / "page.png")
    assert grey.dtype == np.uint8 and grey.shape == (40, 60)
    assert grey[0, 0] > 200 and grey[20, 30] < 50
    assert like_mnist(grey).centred.max() == 255


def test_transparent_paper_is_white(tmp_path):
    page = Image.new("RGBA", (30, 30), (0, 0, 0, 0))
    ImageDraw.Draw(page).line((5, 5, 25, 25), fill=(0, 0, 0, 255), width=3)
    page.save(tmp_path / "page.png")
    grey = read_photo(tmp_path / "page.png")
    assert grey[0, 29] == 255 and grey[15, 15] == 0


def test_the_camera_s_turn_is_made(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    Image.new("L", (50, 20), "white").save(tmp_path / "page.jpg", exif=exif)
    assert read_photo(tmp_path / "page.jpg").shape == (50, 20)


def test_what_is_no_image_or_too_large_is_refused(tmp_path, monkeypatch):
    (tmp_path / "text.png").write_text("no image")
    Image.new("L", (50, 20)).save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    for name in ("text.png", "cut.png", "missing.png", "."):
        with pytest.raises(OSError):
            read_photo(tmp_path / name)
    monkeypatch.setattr(handwriting, "MOST_PIXELS", 999)
    with pytest.raises(ValueError, match="999 pixels at most. Received: .*50 × 20"):
        read_photo(tmp_path / "whole.png")


# -- Pages as a phone takes them: the study's, with a few training digits --------------------------


def page_of(at, *conditions, count=1):
    """Return a page of the study with training digits, those of the given place and behind it."""
    digits = list(raw_mnist()["x_train"][at : at + count])
    return photos.page(digits, conditions, np.random.default_rng(at))


@pytest.fixture(scope="module")
def classifier():
    return trained_network()


@pytest.mark.parametrize("condition", photos.SINGLE)
def test_photos_are_read(condition, classifier):
    fields = [like_mnist(page_of(at, condition)).centred for at in range(4)]
    read = classifier(standardise(np.array(fields))).numpy().argmax(axis=1)
    assert np.sum(read == raw_mnist()["y_train"][:4]) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("condition", photos.SINGLE)
def test_no_digit_and_several_are_told(condition):
    with pytest.raises(ValueError, match="grey must show a digit: there is no digit"):
        like_mnist(page_of(0, condition, count=0))
    with pytest.raises(ValueError, match="grey must show one digit: there are several.* 2 of them"):
        like_mnist(page_of(0, condition, count=2))


def test_a_speck_does_no_harm():
    for at in range(4):
        page = page_of(at)
        clean = like_mnist(page).centred
        page[8:12, 8:12] = 20
        assert difference(like_mnist(page).centred, clean) < 0.05


def test_a_broken_digit_is_one_digit(digits):
    five = digits[8]  # its hat floats above it
    assert difference(like_mnist(photo(five)).centred, five) < 0.5
    four = Image.new("L", (280, 280), 255)
    ImageDraw.Draw(four).line([(80, 40), (60, 150), (150, 150)], fill=0, width=20)
    ImageDraw.Draw(four).line([(175, 60), (175, 240)], fill=0, width=20)
    assert like_mnist(np.asarray(four)).cropped.shape == pytest.approx((200, 136), abs=12)


def test_lines_of_a_drawing_are_no_printed_lines():
    """A thin bar from side to side is ink: only three lines and more are the paper's."""
    page = np.full((280, 280), 255, np.uint8)
    page[60:64, 20:260] = page[60:240, 200:204] = 0
    cropped = like_mnist(page).cropped
    assert cropped.shape == (180, 240)
    assert cropped[1, :].min() > 100 and cropped[:, 181].min() > 100


def test_digits_cropped_closely_are_read(digits):
    found = []
    for digit in digits[:30]:
        rows, columns = (np.flatnonzero(digit.any(axis=axis)) for axis in (1, 0))
        ink = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        large = np.asarray(Image.fromarray(ink).resize((ink.shape[1] * 6, ink.shape[0] * 6)))
        page = np.pad(220 - 0.7 * large, 18, constant_values=220).astype(np.uint8)
        found.append(difference(like_mnist(page).centred, digit))
    assert np.median(found) < 0.35 and np.mean(np.array(found) < 0.6) > 0.9


def test_large_photos_are_reduced(tmp_path, monkeypatch):
    page = Image.fromarray(page_of(0)).resize((2000, 1500))
    page.save(tmp_path / "page.jpg", quality=95)
    page.save(tmp_path / "page.png")
    original = like_mnist(page_of(0)).centred
    for name in ("page.jpg", "page.png"):
        grey = read_photo(tmp_path / name)
        assert grey.shape == (600, 800)
        assert difference(like_mnist(grey).centred, original) < 0.1
    steps = like_mnist(np.asarray(page))
    assert steps.grey.shape == steps.ink.shape == (600, 800)
    assert difference(steps.centred, original) < 0.1
    # Of a JPEG a fraction is unpacked, so that it may be larger.
    monkeypatch.setattr(handwriting, "MOST_PIXELS", 1_000_000)
    assert read_photo(tmp_path / "page.jpg").shape == (600, 800)
    with pytest.raises(ValueError, match="1,000,000 pixels at most"):
        read_photo(tmp_path / "page.png")


def test_what_pillow_will_not_unpack_is_refused_in_a_sentence(tmp_path, monkeypatch):
    Image.new("L", (50, 20), 255).save(tmp_path / "page.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_photo(tmp_path / "page.png").shape == (20, 50)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 400)
    with pytest.raises(ValueError, match="path must be a smaller image: .*Received: .*page.png"):
        read_photo(tmp_path / "page.png")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no module resource")
@pytest.mark.parametrize("name", ["page.jpg", "page.png"])
def test_twelve_megapixels_take_little_memory(tmp_path, name):
    Image.fromarray(page_of(0)).convert("RGB").resize((4000, 3000)).save(tmp_path / name)
    script = (
        "import resource, sys; from resnet_lesson.handwriting import like_mnist, read_photo\n"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = most(); like_mnist(read_photo(sys.argv[1])); print(most() - before)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / name)]
    grown = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert grown / (2**20 if sys.platform == "darwin" else 2**10) < 500


@pytest.mark.parametrize(
    ("name", "start"), [("page.HEIC", b"\0"), ("page.jpg", b"\0\0\0\x18ftypheic\0\0")]
)
def test_a_heic_photo_is_told_what_to_do(tmp_path, name, start):
    (tmp_path / name).write_bytes(start + bytes(100))
    with pytest.raises(ValueError, match="export it as JPEG, .*screenshot.* Received: .*page"):
        read_photo(tmp_path / name)


def test_the_study_s_claims_hold():
    study = read_study("08_photos")
    claims, results = study["settings"]["claims"], study["results"]
    assert set(results) == {"clean", *photos.SINGLE, *map(" + ".join, photos.PAIRS)}
    for name in ("clean", *photos.SINGLE):
        found = results[name]
        assert found["read"] >= found["pages"] * claims["clean" if name == "clean" else "single"]
        for reason in ("none", "several"):
            assert found[reason] >= found["to_refuse"] * claims[reason]


@pytest.mark.parametrize(
    "grey, message",
    [
        (np.full((30, 30), 255, np.uint8), "show a digit"),
        (np.tile(np.arange(200, dtype=np.uint8), (50, 1)), "show a digit"),  # the light changes
        (np.eye(30), "show a digit"),  # on a scale from 0 to 1
    ],
)
def test_pages_without_a_digit_are_refused(grey, message):
    with pytest.raises(ValueError, match=f"grey must {message}"):
        like_mnist(grey)


@pytest.mark.parametrize("shape", [(8, 60), (60, 8), (8, 8), (9, 200)])
def test_odd_pages_give_a_field(shape):
    page = np.full(shape, 255, np.uint8)
    page[shape[0] // 2 - 3 : shape[0] // 2 + 3, shape[1] // 2 - 1 : shape[1] // 2 + 1] = 0
    assert like_mnist(page).centred.shape == (28, 28)
