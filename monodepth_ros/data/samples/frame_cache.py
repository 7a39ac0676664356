"""Frames decoded, rectified and resized once, then read as slices of memory-mapped files.

Decoding and resizing dominate Monodepth2's data pipeline; here an epoch only copies bytes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from monodepth_ros.cache_directory import cache_directory, locked
from monodepth_ros.data.fingerprint import camera_values, decoded_sample, fingerprint_of_sequence
from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.rectification import rectified
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.image_size import resize_image, resize_nearest
from monodepth_ros.progress import count_frames, plain_console

FORMAT = 3  # raised when the content of the cache changes its meaning
ALLOWED_DAMAGE = 0.01  # share of unreadable frames above which training is refused

Producer = Callable[[int], NDArray[np.generic]]  # of a frame, by its index

logger = logging.getLogger(__name__)


class CachedArray:
    """One array on disk, its first axis the frames, and which frames could not be read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        record = json.loads((folder / "bad.json").read_text())
        self.bad: dict[int, str] = {int(index): reason for index, reason in record.items()}

    @cached_property
    def array(self) -> NDArray[Any]:
        """The memory-mapped array, read-only."""
        return np.asarray(np.load(self.folder / "array.npy", mmap_mode="r"))

    def __getstate__(self) -> dict[str, Any]:
        # A worker process maps the file itself; pickling the map would copy all frames.
        return {key: value for key, value in self.__dict__.items() if key != "array"}


@dataclass
class CachedPartner:
    """What the second camera of a sequence took: ``images`` uint8 Nx3xHxW, ``K``, and ``T``.

    ``T`` is T_partner_camera, 4x4.
    """

    images: CachedArray
    K: NDArray[np.float32]
    T: NDArray[np.float32]


@dataclass
class CachedSequence:
    """A sequence at the network's size: ``images`` uint8 Nx3xHxW, ``depths`` float32 Nx1xHxW."""

    name: str
    frame_names: list[str]
    K: NDArray[np.float32]
    images: CachedArray
    depths: CachedArray | None
    valid: NDArray[np.bool_] | None
    fingerprint: str  # of the sequence as it was read
    reflective: CachedArray | None = None  # bool Nx1xHxW
    partner: CachedPartner | None = None

    @property
    def bad(self) -> dict[int, str]:
        """Why the frames that cannot be used cannot be read, by index."""
        parts = [self.depths, self.reflective, self.partner and self.partner.images, self.images]
        return {index: why for part in parts if part for index, why in part.bad.items()}

    def usable(self) -> NDArray[np.bool_]:
        """For each frame, whether it was read."""
        usable = np.ones(len(self.frame_names), dtype=bool)
        usable[list(self.bad)] = False
        return usable


def cache_sequence(
    sequence: Sequence,
    size: tuple[int, int],
    depth: bool,
    root: Path | None = None,
    masks: bool = False,
    stereo: bool = False,
) -> CachedSequence:
    """The frames of ``sequence`` at ``size`` = (height, width), built on first use.

    A distorted camera's images are rectified, K kept; ``valid`` (bool HxW) then tells which pixels
    show something. With ``depth`` truth is kept too where the sequence has any, resized by nearest
    neighbour, NaN where a pixel has none; with ``masks`` reflective masks likewise, false where
    nothing is known; with ``stereo`` what the second camera took. The cache is keyed by the state
    of the sequence's files, how they are read, its camera and the size.
    """
    root = root or cache_directory("frames")
    count = len(sequence)
    seen = rectified(sequence)
    camera = seen.camera.resized(*size)

    key = cache_key(sequence, size)

    def cached(
        name: str, read: Callable[[int], NDArray[Any] | None], dtype: DTypeLike, unknown: float
    ) -> CachedArray:
        def produce(index: int) -> NDArray[Any]:
            found = read(index)
            if found is None:
                return np.full((1, *size), unknown, dtype)
            return resize_nearest(found, size)[None]

        shape = (count, 1, *size)
        return cached_array(root, f"{sequence.name}-{name}", key, shape, dtype, produce)

    depths, reflective, partner = None, None, None
    if depth and sequence.has_depth:
        depths = cached("depth", seen.depth, np.float32, np.nan)
    if masks and sequence.has_masks:
        reflective = cached("reflective", seen.reflective, np.bool_, False)
    if stereo and sequence.stereo is not None:
        beside = sequence.stereo.sequence
        partner = CachedPartner(
            _cached_images(beside, size, root),
            rectified(beside).camera.resized(*size).K.astype(np.float32),
            sequence.stereo.T_partner_camera.astype(np.float32),
        )
    return CachedSequence(
        name=sequence.name,
        frame_names=[sequence.frame_name(i) for i in range(count)],
        K=camera.K.astype(np.float32),
        images=_cached_images(sequence, size, root),
        depths=depths,
        valid=camera.valid,
        fingerprint=fingerprint_of_sequence(sequence),
        reflective=reflective,
        partner=partner,
    )


def _cached_images(sequence: Sequence, size: tuple[int, int], root: Path) -> CachedArray:
    seen = rectified(sequence)

    def image(index: int) -> NDArray[np.uint8]:
        return resize_image(seen.image(index), size).transpose(2, 0, 1)

    name, shape = f"{sequence.name}-images", (len(sequence), 3, *size)
    return cached_array(root, name, cache_key(sequence, size), shape, np.uint8, image)


def report_damage(sequences: list[CachedSequence]) -> list[str]:
    """Log every frame that is skipped and return their descriptions.

    Raises a UserError when more than 1 % of all frames cannot be read.
    """
    damage = [f"{s.name}: {reason}" for s in sequences for _, reason in sorted(s.bad.items())]
    total = sum(len(s.frame_names) for s in sequences)
    if len(damage) > ALLOWED_DAMAGE * total:
        raise UserError(
            f"{len(damage)} of {total} frames cannot be read, more than"
            f" {ALLOWED_DAMAGE:.0%}: first {damage[0]}; mend or remove them"
        )
    for line in damage:
        logger.warning("skipped a frame of %s", line)
    return damage


def cached_array(
    root: Path, name: str, key: str, shape: tuple[int, ...], dtype: DTypeLike, produce: Producer
) -> CachedArray:
    """An array whose row ``i`` is ``produce(i)``, built on first use and found by ``key`` later.

    One process builds while others wait; a build that is killed leaves nothing that counts.
    Frames for which ``produce`` raises :class:`CorruptFrame` are recorded and left empty.
    """
    folder = claim_folder(root, f"{name.replace('/', '_')}-{key}")
    if folder.is_dir():
        return CachedArray(folder)
    with locked(folder.with_name(folder.name + ".lock")):
        if not folder.is_dir():  # another process may have built it while this one waited
            _build(folder, name, shape, np.dtype(dtype), produce)
    return CachedArray(folder)


def claim_folder(root: Path, name: str) -> Path:
    """The folder of that name in the cache, which exists once it is complete."""
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{root}: no place for the frame cache ({error.strerror})") from error
    return root / name


def _build(
    folder: Path, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], produce: Producer
) -> None:
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    check_space(folder.parent, int(np.prod(shape)) * dtype.itemsize)
    partial.mkdir()
    try:
        array = np.lib.format.open_memmap(
            partial / "array.npy", mode="w+", dtype=dtype, shape=shape
        )
        bad: dict[int, str] = {}

        def fill(index: int) -> None:
            try:
                array[index] = produce(index)
            except CorruptFrame as error:
                bad[index] = str(error)
                array[index] = np.nan if dtype.kind == "f" else 0

        # Threads suffice: decoders and torch let go of the interpreter while they work.
        pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        try:
            what = f"caching {name}"
            with count_frames(plain_console(), what, shape[0], transient=True) as advance:
                for _ in pool.map(fill, range(shape[0])):
                    advance()
        finally:
            pool.shutdown(cancel_futures=True)  # an error ends the build at once
        array.flush()
        (partial / "bad.json").write_text(json.dumps(bad))
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_space(root: Path, needed: int) -> None:
    """UserError where ``needed`` bytes are not free."""
    free = shutil.disk_usage(root).free
    if needed > free:  # a full disk under a memory map would kill the process without a word
        raise UserError(
            f"{root}: the frame cache needs {needed / 1e9:.1f} GB, only {free / 1e9:.1f} GB are"
            " free; choose another cache folder"
        )


def cache_key(sequence: Sequence, size: tuple[int, int]) -> str:
    """Of the state of a sequence's files, how they are read, its camera and the size."""
    states = []
    for path in sequence.files():
        try:
            status = path.stat()
            states.append((str(path.resolve()), status.st_size, status.st_mtime_ns))
        except OSError:
            states.append((str(path), -1, -1))
    content = [
        FORMAT,
        size,
        [(sequence.frame_name(i), sequence.number(i)) for i in range(len(sequence))],
        states,
        camera_values(sequence),
        decoded_sample(sequence),
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
