"""Triplets with matches between the target and its neighbours, made once and kept as frames are."""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monodepth_ros.cache_directory import cache_directory
from monodepth_ros.data.rectification import rectified
from monodepth_ros.data.samples.frame_cache import CachedArray, CachedSequence, cached_array
from monodepth_ros.data.samples.triplets import TripletDataset
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import resizing_matrix
from monodepth_ros.inference.odometry.view import GreyImage, grey_image
from monodepth_ros.learning.matching import KINDS, TEACHES, match_pair

FORMAT = 1  # raised when matches of the same frames change

logger = logging.getLogger(__name__)


class MatchedTriplets(TripletDataset):
    """Triplets whose samples hold, beside their images:

    ``matches`` float32 2x2xNx2: of each neighbour, pixels of the target and of the neighbour, x
    first, at the images' size; ``match_noise`` float32 2xN: radians between the rays of a point;
    ``T_matches`` float32 2x4x4: T_neighbour_target with a translation of length 1. What is not
    known is NaN. ``pairs_left_out`` counts the pairs of each recording that tell no motion, by the
    reason.

    Matches are of frames as they are recorded, up to 640 pixels wide: at the size of a small
    network a parallax is a fraction of a pixel.
    """

    def __init__(
        self,
        points: int,
        sequences: Iterable[Sequence],
        size: tuple[int, int],
        cache: Path | None = None,
        **options: Any,
    ) -> None:
        """Take how many ``points`` of a target are followed, and what triplets take."""
        recordings = list(sequences)
        super().__init__(recordings, size, cache=cache, **options)
        root = cache or cache_directory("frames")
        self._starts = np.searchsorted(self._samples[:, 0], np.arange(len(recordings)))
        self._matches: list[CachedArray] = []
        for number, (sequence, cached) in enumerate(zip(recordings, self.sequences, strict=True)):
            rows = self._samples[self._samples[:, 0] == number, 1:]
            self._matches.append(_cached_matches(sequence, cached, rows, points, size, root))
            self._account(cached.name, self._matches[-1].array["kind"])

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        item = super().__getitem__(index)
        number = int(self._samples[index, 0])
        kept = self._matches[number].array[index - self._starts[number]]
        for name, entry in (("matches", "pixels"), ("match_noise", "noise"), ("T_matches", "T")):
            item[name] = torch.from_numpy(np.array(kept[entry]))
        return item

    def check(self) -> None:
        """UserError where no pair tells anything, so that nothing can be learnt."""
        if all(self._told(kept.array["kind"]) == 0 for kept in self._matches):
            raise UserError(
                f"{', '.join(s.name for s in self.sequences)}: no pair of frames has enough matches"
                " and parallax to learn from: raise data.stride or data.motion, or leave out what"
                " needs matches (losses.triangulation, view_synthesis.poses)"
            )

    @staticmethod
    def _told(kinds: NDArray[np.uint8]) -> int:
        return int(np.isin(kinds, [KINDS.index(kind) for kind in TEACHES]).sum())

    def _account(self, name: str, kinds: NDArray[np.uint8]) -> None:
        """Say of how many pairs no motion is known."""
        missing = kinds.size - self._told(kinds)
        if missing == 0:
            return
        counts = Counter(KINDS[kind] for kind in kinds.ravel() if KINDS[kind] not in TEACHES)
        self.pairs_left_out[name] = dict(counts + Counter(self.pairs_left_out.get(name, {})))
        why = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        logger.warning("%s: %d of %d pairs tell no motion: %s", name, missing, kinds.size, why)


def _record(points: int) -> np.dtype[Any]:
    """The matches of a triplet with both its neighbours."""
    return np.dtype(
        [
            ("pixels", np.float32, (2, 2, points, 2)),
            ("noise", np.float32, (2, points)),
            ("T", np.float32, (2, 4, 4)),
            ("kind", np.uint8, (2,)),
        ]
    )


def _cached_matches(
    sequence: Sequence,
    cached: CachedSequence,
    rows: NDArray[np.int64],
    points: int,
    size: tuple[int, int],
    root: Path,
) -> CachedArray:
    """A record for each row (target, previous, next) of frames."""
    seen = rectified(sequence)

    @lru_cache(maxsize=64)
    def grey(index: int) -> GreyImage:
        return grey_image(seen.image(index), seen.camera)

    def record(row: int) -> NDArray[Any]:
        target, *neighbours = rows[row].tolist()
        found = np.zeros((), _record(points))
        for entry in ("pixels", "noise", "T"):
            found[entry] = np.nan
        for place, neighbour in enumerate(neighbours):
            pair = match_pair(grey(target), grey(neighbour), points)
            camera, count = grey(target).camera, len(pair.target)
            A = resizing_matrix(size[0] / camera.height, size[1] / camera.width)
            for side, pixels in enumerate((pair.target, pair.neighbour)):
                found["pixels"][place, side, :count] = pixels @ A[:2, :2].T + A[:2, 2]
            found["noise"][place, :count] = pair.noise
            found["T"][place] = pair.T_neighbour_target
            found["kind"][place] = KINDS.index(pair.kind)
        return found

    content = [FORMAT, cached.fingerprint, rows.tolist(), points, size]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    return cached_array(
        root, f"{sequence.name}-matches", key, (len(rows),), _record(points), record
    )
