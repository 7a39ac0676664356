"""Files that are either complete or absent: written under a temporary name, then renamed."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it takes the place of ``path``.

    The temporary name keeps the suffix of ``path``, for writers that choose a format by it. When
    the body raises, ``path`` is left as it was and the temporary file is removed. Missing parent
    folders are created.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(
        dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix
    )
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        _apply_umask(temporary)
        flush(temporary)
        os.replace(temporary, target)
        flush(target.parent)  # the rename itself
    finally:
        temporary.unlink(missing_ok=True)


def _apply_umask(path: Path) -> None:
    """Give ``path`` the permissions of an ordinary new file; mkstemp makes it private."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(0o666 & ~umask)


def flush(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk: both must survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
