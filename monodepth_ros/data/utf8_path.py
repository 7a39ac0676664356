"""File names of any bytes for libraries that take none but UTF-8."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monodepth_ros.errors import printable


@contextmanager
def utf8_path(path: Path) -> Iterator[str]:
    """A name of ``path``, to be opened in the ``with`` block; a link where its own is not UTF-8."""
    if printable(path) == str(path):
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"file{printable(path.suffix)}"
        link.symlink_to(path.absolute())
        yield str(link)
