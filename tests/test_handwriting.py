"""A digit of one's own: MNIST's own digits, photographed, must come back as they were."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from resnet_lesson import handwriting
from resnet_lesson.handwriting import centre_by_mass, like_mnist, read_photo
from resnet_lesson.mnist import raw_mnist


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
    return raw_mnist()["x_test"][:60]


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


@pytest.mark.parametrize(
    "grey, message",
    [
        (np.full((30, 30), 255, np.uint8), "show ink"),
        (np.tile(np.arange(200, dtype=np.uint8), (50, 1)), "show ink"),  # light changes, no ink
        (np.eye(30), "show ink"),  # on a scale from 0 to 1
    ],
)
def test_pages_without_a_digit_are_refused(grey, message):
    with pytest.raises(ValueError, match=f"grey must {message}"):
        like_mnist(grey)


@pytest.mark.parametrize("shape", [(8, 60), (60, 8), (8, 8), (9, 500)])
def test_odd_pages_give_a_field(shape):
    page = np.full(shape, 255, np.uint8)
    page.flat[0] = 0
    assert like_mnist(page).centred.shape == (28, 28)
