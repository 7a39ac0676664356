"""Training samples: three frames of a video, or single frames with their truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from monodepth_ros.data.samples.frame_cache import (
    CachedArray,
    CachedSequence,
    cache_sequence,
    report_damage,
)
from monodepth_ros.data.samples.frame_spacing import (
    apparent_motion,
    fixed_triplets,
    image_difference,
    motion_triplets,
    segments,
)
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.errors import UserError

Stride = int | Literal["motion"]


class CachedDataset(Dataset[dict[str, Tensor]]):
    """Samples of one or several frames, read as slices of the frame cache.

    A sample is a dict: ``images`` uint8 Fx3xHxW, ``K`` float32 3x3 at HxW, ``index`` int64, with
    ``depth`` also ``depth`` float32 1xHxW (NaN invalid) of the first frame, with ``motions`` also
    ``T_neighbour_target`` float32 (F-1)x4x4 of true poses (NaN without them), with ``masks``
    ``reflective`` bool 1xHxW of the first frame, with ``stereo`` what a second camera took with it:
    ``stereo`` uint8 1x3xHxW, ``K_stereo`` and ``T_stereo_target`` 1x4x4 (NaN without it), with
    ``pseudo_depth``, which gives a teacher's word on each sequence, ``pseudo_inverse_depth``
    float32 1xHxW, and, as soon as one camera of the dataset is distorted, ``valid`` bool 1xHxW: the
    pixels that rectification could fill.

    ``skipped`` names the frames that could not be read, ``guessed_cameras`` the recordings whose
    intrinsics nobody measured, ``pairs_left_out`` how many pairs of frames of which recording tell
    nothing, by the reason, where pairs were looked at.
    """

    def __init__(
        self,
        sequences: Iterable[Sequence],
        size: tuple[int, int],
        depth: bool = True,
        cache: Path | None = None,
        masks: bool = False,
        stereo: bool = False,
        motions: bool = False,
        pseudo_depth: Callable[[Sequence], CachedArray] | None = None,
    ) -> None:
        recordings = list(sequences)
        if not recordings:
            raise UserError("there is no sequence to train on; name at least one with --data")
        self.size = size
        self.guessed_cameras = sorted({s.name for s in recordings if s.calibration == "guessed"})
        self.sequences: list[CachedSequence] = [
            cache_sequence(sequence, size, depth, cache, masks, stereo) for sequence in recordings
        ]
        self.skipped = report_damage(self.sequences)
        self.pairs_left_out: dict[str, dict[str, int]] = {}
        self._depth, self._masks, self._stereo = depth, masks, stereo
        self._pseudo = None if pseudo_depth is None else [pseudo_depth(s) for s in recordings]
        self._poses = [_poses(sequence) for sequence in recordings] if motions else None
        self._with_valid = any(sequence.valid is not None for sequence in self.sequences)
        rows = [
            np.insert(self._frames(sequence, self.sequences[number]), 0, number, axis=1)
            for number, sequence in enumerate(recordings)
        ]
        self._samples: NDArray[np.int64] = np.concatenate(rows)
        if len(self._samples) == 0:
            frames = sum(len(sequence) for sequence in recordings)
            names = ", ".join(sequence.name for sequence in recordings)
            raise UserError(f"{names}: {frames} frames give no {self.sample_name}")

    sample_name = "sample"

    def _frames(self, sequence: Sequence, cached: CachedSequence) -> NDArray[np.int64]:
        """The frames of each sample, one row each, the target first."""
        raise NotImplementedError

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        number, *frames = self._samples[index].tolist()
        sequence = self.sequences[number]
        images = sequence.images.array
        item = {
            "images": torch.from_numpy(np.stack([images[frame] for frame in frames])),
            "K": torch.from_numpy(sequence.K.copy()),
            "index": torch.tensor(index),
        }
        if self._depth:
            item["depth"] = self._map(sequence.depths, frames[0], np.float32(np.nan))
        if self._pseudo is not None:
            told = np.array(self._pseudo[number].array[frames[0]], np.float32)
            item["pseudo_inverse_depth"] = torch.from_numpy(told)
        if self._poses is not None:
            target, *neighbours = self._poses[number][frames]
            motions = [np.linalg.inv(neighbour) @ target for neighbour in neighbours]
            item["T_neighbour_target"] = torch.from_numpy(np.stack(motions).astype(np.float32))
        if self._masks:
            item["reflective"] = self._map(sequence.reflective, frames[0], np.bool_(False))
        if self._stereo:
            item |= self._beside(sequence, frames[0])
        if self._with_valid:
            valid = np.ones(self.size, bool) if sequence.valid is None else sequence.valid.copy()
            item["valid"] = torch.from_numpy(valid)[None]
        return item

    def _map(self, kept: CachedArray | None, frame: int, unknown: np.generic) -> Tensor:
        """1xHxW of a frame, ``unknown`` where the recording has none."""
        if kept is None:
            return torch.from_numpy(np.full((1, *self.size), unknown))
        return torch.from_numpy(np.array(kept.array[frame]))

    def _beside(self, sequence: CachedSequence, frame: int) -> dict[str, Tensor]:
        """What the second camera took with a frame."""
        image, K, T = np.zeros((3, *self.size), np.uint8), sequence.K, np.full((4, 4), np.nan)
        if (partner := sequence.partner) is not None:
            image, K, T = partner.images.array[frame], partner.K, partner.T
        return {
            "stereo": torch.from_numpy(np.array(image))[None],
            "K_stereo": torch.from_numpy(K.copy()),
            "T_stereo_target": torch.from_numpy(T.astype(np.float32))[None],
        }

    def frame_name(self, index: int) -> str:
        """Sequence and file of a sample's first frame, for messages and reports."""
        number, frame = self._samples[index][:2].tolist()
        sequence = self.sequences[number]
        return f"{sequence.name}/{sequence.frame_names[frame]}"


def _poses(sequence: Sequence) -> NDArray[np.float64]:
    """True T_world_camera of all frames, Nx4x4, NaN where there is none."""
    poses = (sequence.pose(index) for index in range(len(sequence)))
    return np.stack([np.full((4, 4), np.nan) if pose is None else pose for pose in poses])


class TripletDataset(CachedDataset):
    """Target, previous and next frame (in this order) of videos.

    ``stride`` is a number of frames, or ``"motion"``: the nearest frames that the camera has moved
    away from by ``motion`` (apparent shift as a share of image width), at most ``max_stride``
    frames away. Triplets never span a gap in the recording unless ``cross_gaps``. Those whose
    neighbours differ from the target by less than ``min_motion`` (mean absolute difference of
    images in [0, 1]) are left out, which drops standstill.
    """

    sample_name = "triplet"

    def __init__(
        self,
        sequences: Iterable[Sequence],
        size: tuple[int, int],
        stride: Stride = 1,
        depth: bool = False,
        cache: Path | None = None,
        min_motion: float = 0.0,
        motion: float = 0.015,
        max_stride: int = 30,
        cross_gaps: bool = False,
        motions: bool = False,
        masks: bool = False,
        stereo: bool = False,
        pseudo_depth: Callable[[Sequence], CachedArray] | None = None,
    ) -> None:
        if stride != "motion" and (not isinstance(stride, int) or stride < 1):
            raise UserError(f'stride: {stride!r} is neither a positive integer nor "motion"')
        self._stride = stride
        self._min_motion = min_motion
        self._motion = motion
        self._max_stride = max_stride
        self._cross_gaps = cross_gaps
        super().__init__(sequences, size, depth, cache, masks, stereo, motions, pseudo_depth)

    def _frames(self, sequence: Sequence, cached: CachedSequence) -> NDArray[np.int64]:
        images = cached.images.array
        segment = segments(sequence) * (not self._cross_gaps)
        if isinstance(self._stride, int):
            triplets = fixed_triplets(segment, self._stride)
        else:
            measure = apparent_motion(sequence, images)
            triplets = motion_triplets(segment, measure, self._motion, self._max_stride)
        wanted = np.zeros(len(sequence), dtype=bool)
        wanted[list(sequence.targets)] = True
        triplets = triplets[wanted[triplets[:, 0]] & cached.usable()[triplets].all(axis=1)]
        if self._min_motion > 0:
            target, previous, following = triplets.T
            moved = np.minimum(
                image_difference(images, target, previous),
                image_difference(images, target, following),
            )
            triplets = triplets[moved >= self._min_motion]
        return triplets


class FrameDataset(CachedDataset):
    """Single frames, F = 1, for supervised training and validation."""

    sample_name = "readable frame"

    def _frames(self, sequence: Sequence, cached: CachedSequence) -> NDArray[np.int64]:
        usable = cached.usable()
        targets = [index for index in sequence.targets if usable[index]]
        return np.array(targets, dtype=np.int64).reshape(-1, 1)
