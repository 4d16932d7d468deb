"""Pictures to try lesson 08 with: ten photos of digits, and a folder of shapes in six classes.

``tools/make_examples.py`` makes them. They stand for pictures of the reader's own.
"""

import shutil
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent


def photos():
    """Return the paths of ten photos, of the digits from 0 to 9."""
    return sorted(FOLDER.glob("photo_*.jpg"))


def shapes():
    """Unpack the shapes into a new folder that the system throws away later, and return its path.

    It has a sub-folder for each class, with 40 pictures of 40 × 40 grey pixels.
    """
    target = Path(tempfile.mkdtemp(prefix="shapes_"))
    shutil.unpack_archive(FOLDER / "shapes.tar.xz", target)
    return target / "shapes"
