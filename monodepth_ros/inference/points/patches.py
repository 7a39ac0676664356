"""Patches of points as they first looked, aligned to later images: what keeps tracks from drifting.

Inverse compositional Lucas-Kanade (Baker and Matthews, 2004) with an affine warp for each patch, as
Shi and Tomasi (1994) compare a point with its first frame. Gain and bias are projected out (Hager
and Belhumeur, 1998), so that automatic exposure is no motion.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

RADIUS = 7  # pixels; a patch is 15x15
_ITERATIONS = 5
_LARGEST_STEP = 1.0  # pixels in one iteration
_CONVERGED = 0.02  # pixels
_SHAPE_DAMPING = 0.02  # of the mean curvature: a patch that shows one edge keeps its shape

_SIDE = np.arange(-RADIUS, RADIUS + 1, dtype=np.float32)
_U, _V = (grid.ravel() for grid in np.meshgrid(_SIDE, _SIDE))  # offsets of a patch's pixels
_NEAR = np.exp(-(_U**2 + _V**2) / (2 * (0.6 * RADIUS) ** 2))  # weights: the middle is the point
_NEAR /= _NEAR.sum()


@dataclass(frozen=True)
class Patches:
    """What N points looked like, and how their surroundings have been deformed since.

    ``looks`` (N, P) has weighted mean 0 and deviation 1, ``steps`` (N, 6, P) takes a difference to
    the step that explains it, ``shapes`` (N, 2, 2) takes offsets in a patch to offsets in the
    latest image.
    """

    looks: NDArray[np.float32]
    steps: NDArray[np.float32]
    shapes: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.looks)

    def __getitem__(self, kept: NDArray[np.bool_]) -> Patches:
        return Patches(*(getattr(self, part.name)[kept] for part in fields(self)))

    def __add__(self, others: Patches) -> Patches:
        return Patches(
            *(
                np.concatenate([getattr(self, part.name), getattr(others, part.name)])
                for part in fields(self)
            )
        )

    def align(
        self, grey: NDArray[np.float32], pixels: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], Patches, NDArray[np.float64]]:
        """Points ``(N, 2)`` moved to where ``grey`` looks like their patches.

        Also the patches with their new shapes, and the likeness of each: the weighted correlation
        with how it first looked, 1 at best.
        """
        centres, shapes = pixels.astype(np.float32), self.shapes.copy()
        likeness, moving, those = np.zeros(len(pixels)), np.arange(len(pixels)), self
        for left in reversed(range(_ITERATIONS + 1)):
            seen, _ = _normalised(_sampled(grey, centres[moving], shapes[moving]))
            # Where the last step was short, the likeness is that before it.
            likeness[moving] = (seen * those.looks) @ _NEAR
            if not left or not len(moving):
                break
            # One step in the patch's own axes: a translation and a change of shape.
            step = (those.steps @ (seen - those.looks)[:, :, None])[:, :, 0]
            length = np.linalg.norm(step[:, :2], axis=1, keepdims=True)
            step *= np.minimum(1.0, _LARGEST_STEP / np.maximum(length, 1e-6))
            change = np.eye(2, dtype=np.float32) + step[:, 2:].reshape(-1, 2, 2)
            shapes[moving] = shapes[moving] @ _inverse(change)
            centres[moving] -= (shapes[moving] @ step[:, :2, None])[:, :, 0]
            further = length[:, 0] > _CONVERGED
            if 2 * further.sum() < len(moving):  # to copy patches takes as long as to sample them
                moving, those = moving[further], those[further]
        return centres.astype(np.float64), Patches(self.looks, self.steps, shapes), likeness


def cut_patches(grey: NDArray[np.float32], pixels: NDArray[np.float64]) -> Patches:
    """The patches of ``grey`` around ``pixels`` (N, 2)."""
    count = len(pixels)
    centres = pixels.astype(np.float32)
    shapes = np.tile(np.eye(2, dtype=np.float32), (count, 1, 1))
    looks, deviation = _normalised(_sampled(grey, centres, shapes))
    slopes = [
        (_sampled(grey, centres + offset, shapes) - _sampled(grey, centres - offset, shapes))
        / (2 * deviation)
        for offset in np.eye(2, dtype=np.float32)
    ]
    J = np.stack([*slopes, slopes[0] * _U, slopes[0] * _V, slopes[1] * _U, slopes[1] * _V], 1)
    for seen in (np.ones_like(looks), looks):  # what brightness and contrast explain is no motion
        J -= (J * _NEAR) @ seen[:, :, None] * seen[:, None]
    weighted = J * _NEAR
    H = weighted @ J.transpose(0, 2, 1)
    damping = _SHAPE_DAMPING * (H[:, 0, 0] + H[:, 1, 1]) / 2
    H[:, range(2, 6), range(2, 6)] += damping[:, None] * RADIUS**2 / 4
    H[:, range(2), range(2)] += 1e-6
    return Patches(looks, (np.linalg.inv(H) @ weighted).astype(np.float32), shapes)


def _sampled(
    grey: NDArray[np.float32], centres: NDArray[np.float32], shapes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Grey values (N, P) of deformed patches around ``centres`` (N, 2)."""
    if not len(centres):
        return np.empty((0, len(_U)), np.float32)
    x = shapes[:, 0, :1] * _U + shapes[:, 0, 1:] * _V + centres[:, :1]
    y = shapes[:, 1, :1] * _U + shapes[:, 1, 1:] * _V + centres[:, 1:]
    # remap takes maps of less than 32768 rows, and there are a few hundred points.
    seen = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


def _normalised(
    seen: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Patches (N, P) with weighted mean 0 and deviation 1, and the deviation (N, 1) they had."""
    centred = seen - (seen @ _NEAR)[:, None]
    deviation = np.sqrt(np.maximum((centred * centred) @ _NEAR, 1e-6))[:, None]
    return centred / deviation, deviation


def _inverse(matrices: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverses of (N, 2, 2)."""
    a, b, c, d = matrices.reshape(-1, 4).T
    adjugate = np.stack([d, -b, -c, a], 1) / (a * d - b * c)[:, None]
    return np.asarray(adjugate.reshape(-1, 2, 2), np.float32)


NO_PATCHES = Patches(
    np.empty((0, len(_U)), np.float32),
    np.empty((0, 6, len(_U)), np.float32),
    np.empty((0, 2, 2), np.float32),
)
