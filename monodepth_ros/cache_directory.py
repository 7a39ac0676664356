"""The user's cache folder: what is there can be made again, and several processes may want it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_directory(name: str) -> Path:
    """``$XDG_CACHE_HOME/monodepth_ros/NAME``, by default below ``~/.cache``; it may not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "monodepth_ros" / name


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock, which the system releases when the process dies."""
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
