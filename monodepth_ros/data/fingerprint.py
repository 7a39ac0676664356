"""Fingerprints: short texts that change when files change, without reading all of large ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from collections.abc import Sequence as ListOf
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence

_BLOCK = 1 << 16  # bytes
_BLOCKS = 1000  # read of all files of a bag together: up to 65 MB are read whole
_BLOCKS_OF_SEQUENCE = 100


def fingerprint_of_files(files: ListOf[Path], times: bool, blocks: int = _BLOCKS) -> str:
    """Of the files' names, sizes and content, in the order given, wherever their folder lies.

    Of many or large files, blocks of content that are spread evenly are read. With ``times`` a file
    that was written since counts as changed, whatever was read of it. A file that is missing counts
    as such.
    """
    digest = hashlib.sha256()
    each, step = max(1, blocks // max(1, len(files))), -(-len(files) // blocks)
    for number, file in enumerate(files):
        try:
            status = file.stat()
            changed = status.st_mtime_ns if times else 0
            digest.update(f"{file.name} {status.st_size} {changed}\n".encode(errors="replace"))
            if number % step == 0:
                for block in _blocks(file, status.st_size, each):
                    digest.update(block)
        except OSError:
            digest.update(f"{file.name} missing\n".encode(errors="replace"))
    return digest.hexdigest()[:16]


def _blocks(file: Path, size: int, most: int) -> list[bytes]:
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


def fingerprint_of_sequence(sequence: Sequence) -> str:
    """Of all that training takes of a sequence, wherever it lies and whenever it was written."""
    frames = range(len(sequence))
    poses = [sequence.pose(index) for index in frames]
    content = [
        fingerprint_of_files(list(sequence.files()), False, _BLOCKS_OF_SEQUENCE),
        camera_values(sequence),
        [sequence.frame_name(index) for index in frames],
        [(sequence.number(index), sequence.stamp_ns(index)) for index in frames],
        [None if pose is None else np.asarray(pose).tolist() for pose in poses],
        list(sequence.targets),
        sequence.is_video,
        decoded_sample(sequence),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def camera_values(sequence: Sequence) -> tuple[object, ...]:
    """What decides where the sequence's pixels look, as JSON holds it."""
    camera = sequence.camera
    return (
        camera.width, camera.height, camera.K.tolist(), camera.distortion_model, list(camera.D),
    )  # fmt: skip


def decoded_sample(sequence: Sequence) -> str:
    """A digest of the first image and the first depth map as they are read.

    Beside the state of the files it shows that they are read otherwise: a changed depth scale,
    baseline or calibration of another sensor.
    """
    digest = hashlib.sha256()
    reads: list[Callable[[int], NDArray[np.generic] | None]] = [sequence.image]
    for read in [*reads, sequence.depth] if sequence.has_depth else reads:
        for index in range(len(sequence)):
            with suppress(CorruptFrame):
                array = read(index)
                if array is not None and (array.dtype.kind != "f" or np.isfinite(array).any()):
                    digest.update(np.ascontiguousarray(array).tobytes())
                    break
    return digest.hexdigest()[:16]
