"""Files that are written whole or not at all, whatever ends the process or fills the disk."""

import contextlib
import os
import tempfile
from pathlib import Path


@contextlib.contextmanager
def whole_file(path):
    """Give the path of a new file to write; in the end it takes the place of ``path``.

    If writing fails, what was written is removed, and the old file stays as it was.

    Args:
        path: pathlib.Path of the file. The new one has the same name, in a folder beside it.

    Raises:
        OSError: the folder cannot be written to.

    Example::

        with whole_file(path) as new:
            new.write_text("all of it")
    """
    with tempfile.TemporaryDirectory(prefix=".partial_", dir=path.parent) as folder:
        new = Path(folder, path.name)
        yield new
        with new.open("rb+") as file:
            os.fsync(file.fileno())  # on the disk, before it gets its name
        os.replace(new, path)
