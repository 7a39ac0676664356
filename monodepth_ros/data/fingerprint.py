"""Fingerprints: short texts that change when files change, without reading all of large ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

_BLOCK = 1 << 16  # bytes
_BLOCKS = 1000  # read of all files together: up to 65 MB are read whole


def fingerprint_of_files(files: Sequence[Path], times: bool) -> str:
    """Of the files' names, sizes and content, in the order given, wherever their folder lies.

    Of many or large files, blocks of content that are spread evenly are read. With ``times`` a file
    that was written since counts as changed, whatever was read of it. A file that is missing counts
    as such.
    """
    digest = hashlib.sha256()
    each, step = max(1, _BLOCKS // max(1, len(files))), -(-len(files) // _BLOCKS)
    for number, file in enumerate(files):
        try:
            status = file.stat()
            changed = status.st_mtime_ns if times else 0
            digest.update(f"{file.name} {status.st_size} {changed}\n".encode(errors="replace"))
            if number % step == 0:
                for block in _spread_blocks(file, status.st_size, each):
                    digest.update(block)
        except OSError:
            digest.update(f"{file.name} missing\n".encode(errors="replace"))
    return digest.hexdigest()[:16]


def _spread_blocks(file: Path, size: int, most: int) -> list[bytes]:
    """The whole file, or that many blocks of it, the first and the last among them."""
    count = -(-size // _BLOCK)
    with file.open("rb") as opened:
        if count <= most:
            return [opened.read()]
        blocks = []
        for number in range(most):
            opened.seek(round(number * (size - _BLOCK) / max(1, most - 1)))
            blocks.append(opened.read(_BLOCK))
    return blocks
