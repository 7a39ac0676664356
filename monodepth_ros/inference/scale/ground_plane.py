"""The ground plane in the lower part of a depth image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import backproject

_TOP = 0.55  # the ground lies below this fraction of the image's height
_MAX_TILT = 30.0  # degrees between the camera's y axis and down
_TOLERANCE = 0.05  # inlier threshold, relative to the distance of the plane
_MIN_INLIERS = 0.35  # fraction of the sampled pixels
_PLANES, _PIXELS = 100, 1500  # that are tried and sampled


def ground_height(
    depth: NDArray[np.float32],
    camera: PinholeCamera,
    confidence: NDArray[np.float32] | None = None,
) -> float | None:
    """The camera's height above the ground in the unit of ``depth`` HxW; None without ground.

    With ``confidence`` HxW pixels are sampled as often as it says, so planes, inliers and the fit
    all go by it.

    RANSAC (Fischler and Bolles, 1981): planes through three pixels; the one with most inliers is
    fitted to them.
    """
    generator = np.random.default_rng(0)
    points = _points(depth, camera, generator, confidence)
    if len(points) < 30:
        return None
    level = np.cos(np.radians(_MAX_TILT))

    corners = points[generator.integers(0, len(points), (_PLANES, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    proper = lengths > 1e-9 * np.linalg.norm(corners[:, 0], axis=1) ** 2
    normals, corner = normals[proper] / lengths[proper, None], corners[proper, 0]
    normals *= np.where(normals[:, 1] < 0, -1.0, 1.0)[:, None]
    heights = np.einsum("ij,ij->i", normals, corner)
    possible = (normals[:, 1] >= level) & (heights > 0)
    normals, heights = normals[possible], heights[possible]
    if not len(normals):
        return None
    inlier_masks = _inliers(points, normals, heights)
    best = int(inlier_masks.sum(0).argmax())
    inliers = inlier_masks[:, best]
    for _ in range(3):  # the fit changes the inliers
        fitted = _fit(points[inliers])
        if fitted is None or fitted[0][1] < level:
            return None
        normal, height = fitted
        inliers = _inliers(points, normal[None], np.array([height]))[:, 0]
        if inliers.mean() < _MIN_INLIERS:
            return None
    return float(height)


def _points(
    depth: NDArray[np.float32],
    camera: PinholeCamera,
    generator: np.random.Generator,
    confidence: NDArray[np.float32] | None,
) -> NDArray[np.float64]:
    """Some points (N, 3) of the lower part of the image, in the camera's frame."""
    height, width = depth.shape
    top = int(_TOP * height)
    chosen = generator.integers(0, (height - top) * width, _PIXELS)
    if confidence is not None:
        weights = confidence[top:].ravel()[chosen]
        chosen = chosen[generator.random(_PIXELS) * weights.max() < weights]
    points = backproject(depth, camera, np.stack([chosen % width, top + chosen // width], 1))
    return points[np.isfinite(points[:, 2]) & (points[:, 2] > 0)]


def _inliers(
    points: NDArray[np.float64],
    normals: NDArray[np.float64],
    heights: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """(N, P): whether a ray meets the plane where its point is, up to a share of its depth.

    Relative to the depth and not to the height: a network errs by a share of the distance.
    """
    seen = points @ normals.T
    return np.asarray(np.abs(seen - heights) <= _TOLERANCE * heights)


def _fit(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], float] | None:
    """Normal (down) and height of the plane that ``points`` are nearest to, each by its depth."""
    if len(points) < 10:
        return None
    # n . p = h, so (n / h) . p = 1: by the ratio of depths, which is how a network errs.
    scaled, *_ = np.linalg.lstsq(points, np.ones(len(points)), rcond=None)
    length = np.linalg.norm(scaled)
    if not np.isfinite(length) or length == 0:
        return None
    return scaled / length, float(1 / length)
