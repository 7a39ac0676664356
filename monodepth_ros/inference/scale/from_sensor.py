"""The scale, and the shift, of predicted depth from points that another sensor has measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import project
from monodepth_ros.inference.points.sampled import sampled
from monodepth_ros.inference.scale.filter import FilterSettings, ScaleFilter
from monodepth_ros.inference.scale.from_points import PointScale
from monodepth_ros.inference.scale.unit import Scale

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SensorScaleSettings:
    """What is expected of measured points."""

    noise: float = 0.02  # metres; standard deviation of a depth
    relative_noise: float = 0.02  # of the depth, added
    most: int = 2000  # points of one image that count; more tell nothing new
    cell: int = 48  # cells along the image's width, in which a point may hide another
    hidden: float = (
        0.15  # of the depth of the nearest point in the cell; further ones may be hidden
    )
    filter: FilterSettings = FilterSettings(drift=1.0, common=0.1, first=1)


class SensorScale:
    """The metric scale of one camera's depth, from depth that a sensor beside it measures.

    ``with_shift`` for models that leave the shift open as well. ``reason`` says why the last image
    told nothing, empty if it did.
    """

    def __init__(self, with_shift: bool, settings: SensorScaleSettings | None = None) -> None:
        self.settings = settings or SensorScaleSettings()
        self.with_shift = with_shift
        self.filter = ScaleFilter(with_shift, self.settings.filter)
        self.last: PointScale | None = None
        self.reason = "no image with measured points"

    @property
    def scale(self) -> Scale | None:
        """Metres of the model's inverse depth; None while unknown."""
        return self.filter.scale

    @property
    def missing(self) -> str:
        """What is missing for a factor, in words."""
        return self.reason or self.filter.missing

    def add(
        self,
        points: Array,
        camera: PinholeCamera,
        stamp: int,
        inverse_depth: NDArray[np.float32],
    ) -> PointScale:
        """Points ``(N, 3)`` in the frame of ``camera`` at the time of its image, in metres.

        ``inverse_depth``, of any size, is what the network predicts for the image.
        """
        pixels, depth = visible_points(points, camera, self.settings)
        predicted = sampled(inverse_depth, pixels, camera)
        deviation = self.settings.noise / depth + self.settings.relative_noise
        fit = self.filter.measure(1 / depth, (deviation / depth) ** 2, predicted, stamp)
        self.last, self.reason = fit, fit.reason
        return fit


def visible_points(
    points: Array, camera: PinholeCamera, settings: SensorScaleSettings
) -> tuple[Array, Array]:
    """Pixels ``(M, 2)`` and depths ``(M,)`` of the points that the camera can see.

    A sensor beside the camera sees past edges: in a small cell of the image only the nearest points
    count. Of too many, some are drawn.
    """
    points = points[np.isfinite(points).all(1) & (points[:, 2] > 1e-3)]
    pixels = project(camera, points)
    inside = (pixels > -0.5).all(1) & (pixels < [camera.width - 0.5, camera.height - 0.5]).all(1)
    pixels, depth = pixels[inside], points[inside, 2]
    x, y = pixels.round().astype(np.int64).T
    if camera.valid is not None:
        shown = camera.valid[y, x]
        pixels, depth, x, y = pixels[shown], depth[shown], x[shown], y[shown]
    side = max(1, camera.width // settings.cell)
    columns = camera.width // side + 1
    cells = (y // side) * columns + x // side
    nearest = np.full(columns * (camera.height // side + 1), np.inf)
    np.minimum.at(nearest, cells, depth)
    seen = np.flatnonzero(depth <= (1 + settings.hidden) * nearest[cells])
    if len(seen) > settings.most:
        seen = np.random.default_rng(0).choice(seen, settings.most, replace=False)
    return pixels[seen], depth[seen]
