"""What a teacher says of the frames of a recording, asked once and kept beside the frame cache.

A large teacher takes a second for a frame, so a build that is killed goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.cache_directory import cache_directory, locked
from monodepth_ros.data.fingerprint import fingerprint_of_files
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.rectification import rectified
from monodepth_ros.data.samples.frame_cache import (
    CachedArray,
    cache_key,
    check_space,
    claim_folder,
)
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.geometry.image_size import resize_linear
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.progress import count_frames, plain_console

Labels = np.memmap[Any, np.dtype[np.float16]]
SAVED_EVERY = 16  # frames
_DONE = "done.json"
_DTYPE = np.dtype(np.float16)


class PseudoDepth:
    """A model as teacher: its inverse depth of whole recordings at ``size`` (height, width)."""

    def __init__(self, model: Path, size: tuple[int, int], root: Path | None = None) -> None:
        self.model, self.size = model, size
        self.root = root or cache_directory("frames")

    @cached_property
    def engine(self) -> Engine:
        """Loaded when a frame is not in the cache."""
        return load_engine(self.model)

    @cached_property
    def content(self) -> str:
        """Of all files of the model: other weights or another card make other labels."""
        files = sorted(path for path in self.model.iterdir() if path.is_file())
        return fingerprint_of_files(files, times=False)

    def of(self, sequence: Sequence) -> CachedArray:
        """Inverse depth float16 Nx1xHxW in the teacher's unit, NaN where it cannot tell."""
        key = hashlib.sha256(f"{self.content} {cache_key(sequence, self.size)}".encode())
        name = f"{sequence.name}-pseudo_depth".replace("/", "_")
        folder = claim_folder(self.root, f"{name}-{key.hexdigest()[:16]}")
        if folder.is_dir():
            return CachedArray(folder)
        with locked(folder.with_name(folder.name + ".lock")):
            if not folder.is_dir():
                self._build(folder, sequence)
        return CachedArray(folder)

    def _build(self, folder: Path, sequence: Sequence) -> None:
        partial = folder.with_name(folder.name + ".partial")
        shape = (len(sequence), 1, *self.size)
        array, done, bad = _resumed(partial, shape)
        frames = rectified(sequence)
        what = f"asking {self.model.name} about {sequence.name}"
        with count_frames(plain_console(), what, shape[0] - done, transient=True) as advance:
            for index in range(done, shape[0]):
                try:
                    array[index] = self.inverse_depth(frames.image(index))
                except CorruptFrame as error:
                    bad[index] = str(error)
                    array[index] = np.nan
                advance()
                if (index + 1) % SAVED_EVERY == 0:
                    _save(partial, array, index + 1, bad)
        array.flush()
        (partial / "bad.json").write_text(json.dumps(bad))
        os.replace(partial, folder)

    def inverse_depth(self, image: NDArray[np.uint8]) -> NDArray[np.float16]:
        """1xHxW of an RGB image of any size; the teacher sees it at its own."""
        # One frame at a time: the batch of an export may be fixed.
        told = self.engine.inverse_depth(self.engine.prepare(image[None]))[0]
        known = np.where(np.isfinite(told) & (told >= 0), told, np.nan)
        return resize_linear(known, self.size).clip(max=np.finfo(_DTYPE).max).astype(_DTYPE)[None]


def _resumed(partial: Path, shape: tuple[int, ...]) -> tuple[Labels, int, dict[int, str]]:
    """The array of a build, how many of its frames are there, and which cannot be read."""
    file = partial / "array.npy"
    if (partial / _DONE).is_file():
        saved = json.loads((partial / _DONE).read_text())
        bad = {int(index): reason for index, reason in saved["bad"].items()}
        return np.lib.format.open_memmap(file, mode="r+"), saved["frames"], bad
    check_space(partial.parent, int(np.prod(shape)) * _DTYPE.itemsize)
    partial.mkdir(exist_ok=True)
    return np.lib.format.open_memmap(file, mode="w+", dtype=_DTYPE, shape=shape), 0, {}


def _save(partial: Path, array: Labels, frames: int, bad: dict[int, str]) -> None:
    """The frames first: after a power cut what counts as done must be on the disk."""
    array.flush()
    with atomic_path(partial / _DONE) as temporary:
        temporary.write_text(json.dumps({"frames": frames, "bad": bad}))
