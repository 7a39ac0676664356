"""Files that are either complete or absent: written under a temporary name, then renamed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    temporary = _new_file_beside(target)
    try:
        yield temporary
        flush(temporary)
        os.replace(temporary, target)
        flush(target.parent)  # the rename itself
    finally:
        temporary.unlink(missing_ok=True)


def _new_file_beside(target: Path) -> Path:
    """An empty hidden file of the permissions that the system gives to any new file."""
    while True:
        name = f".{target.stem[:100]}.{secrets.token_hex(4)}{target.suffix}"
        with suppress(FileExistsError):
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
            os.close(os.open(target.with_name(name), flags, 0o666))
            return target.with_name(name)


def flush(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk: both must survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
