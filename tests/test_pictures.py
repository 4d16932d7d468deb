"""The pictures of lesson 08: what they are, and that their script makes them."""

import shutil

import make_examples
import numpy as np
from PIL import Image

from resnet_lesson import examples
from resnet_lesson.handwriting import like_mnist, read_photo


def test_there_is_a_photo_of_each_digit_and_each_is_found():
    assert [path.stem for path in examples.photos()] == [f"photo_{digit}" for digit in range(10)]
    for path in examples.photos():
        assert like_mnist(read_photo(path)).centred.shape == (28, 28)


def test_the_shapes_are_a_folder_with_a_sub_folder_for_each_class():
    folder = examples.shapes()
    classes = {path.name: len(list(path.glob("*.jpg"))) for path in folder.iterdir()}
    assert classes == dict.fromkeys(make_examples.SHAPES, make_examples.EACH)
    assert examples.shapes() != folder  # nobody's changes are met again


def test_the_pictures_are_those_that_the_script_makes(tmp_path, monkeypatch):
    monkeypatch.setattr(make_examples, "FOLDER", tmp_path)
    make_examples.main()
    shutil.unpack_archive(tmp_path / "shapes.tar.xz", tmp_path)
    made = [*sorted(tmp_path.glob("*.jpg")), *sorted(tmp_path.glob("shapes/*/*.jpg"))]
    kept = [*examples.photos(), *sorted(examples.shapes().glob("*/*.jpg"))]
    assert [path.name for path in made] == [path.name for path in kept]
    for one, other in zip(made, kept, strict=True):
        # Another version of the JPEG library may round otherwise.
        apart = np.subtract(Image.open(one), Image.open(other), dtype=float)
        assert np.abs(apart).mean() < 1, one.name
