"""Named protocols of depth evaluation: which pixels count, and how predictions are scaled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_metrics import depth_metrics, median_ratio
from monodepth_ros.evaluation.uncertainty.image import (
    ImageUncertainty,
    UncertaintyMaps,
    evaluate_uncertainty,
)
from monodepth_ros.geometry.image_size import resize_linear

SCALINGS = ("median", "none", "stereo", "affine")
_SCALED = {
    "median": "scaled by the median of each image",
    "none": "not scaled",
    "stereo": "scaled by 5.4",
    "affine": "aligned by scale and shift of inverse depth in each image",
}
STEREO_FACTOR = 5.4  # KITTI's 0.54 m baseline over Monodepth2's training baseline of 0.1

Depth = NDArray[np.floating]


@dataclass(frozen=True)
class Crop:
    """A window as fractions of height and width; pixel edges are rounded down."""

    top: float
    bottom: float
    left: float
    right: float

    def mask(self, height: int, width: int) -> NDArray[np.bool_]:
        """HxW, true inside."""
        inside = np.zeros((height, width), bool)
        rows = slice(int(self.top * height), int(self.bottom * height))
        columns = slice(int(self.left * width), int(self.right * width))
        inside[rows, columns] = True
        return inside


# R. Garg et al., ECCV 2016
GARG_CROP = Crop(0.40810811, 0.99189189, 0.03594771, 0.96405229)
# D. Eigen et al., NeurIPS 2014: rows 45..471, columns 41..601 of 480x640
EIGEN_NYU_CROP = Crop(45 / 480, 471 / 480, 41 / 640, 601 / 640)
# ManyDepth, CVPR 2021: rows 256.., columns 192..1856 of the upper 768 rows of 1024x2048
CITYSCAPES_CROP = Crop(256 / 768, 1, 192 / 2048, 1856 / 2048)


@dataclass(frozen=True)
class DepthProtocol:
    """What is compared. Depths in metres; a truth pixel counts where min < truth < max, inside the
    crop; predictions are clamped to `clamp` after scaling."""

    name: str
    min_depth: float = 0.0
    max_depth: float = np.inf
    clamp: tuple[float, float] = (0.0, np.inf)
    crop: Crop | None = None
    kept_rows: float = 1.0  # the upper part of the image that is evaluated (and predicted from)
    scaling: str = "median"
    png_scale: float = 1000.0  # stored units to the metre in 16-bit depth files
    kitti_truth: Literal["velodyne", "improved"] = "velodyne"  # which one of KITTI raw

    def __post_init__(self) -> None:
        if self.scaling not in SCALINGS:
            raise UserError(f"unknown scaling '{self.scaling}': use one of {', '.join(SCALINGS)}")
        if not 0 <= self.min_depth < self.max_depth:
            raise UserError(
                f"depth range {self.min_depth:g} to {self.max_depth:g} m is empty: "
                "the minimum must be at least 0 and below the maximum"
            )

    def adapted(
        self,
        scaling: str | None = None,
        min_depth: float | None = None,
        max_depth: float | None = None,
        png_scale: float | None = None,
    ) -> DepthProtocol:
        """With what is given instead of the protocol's own; a depth limit also moves the clamp."""
        low, high = self.clamp
        clamp = low if min_depth is None else min_depth, high if max_depth is None else max_depth
        given = {
            "scaling": scaling,
            "min_depth": min_depth,
            "max_depth": max_depth,
            "png_scale": png_scale,
        }
        own = {name: value for name, value in given.items() if value is not None}
        return replace(self, clamp=clamp, **own)  # type: ignore[arg-type]

    def suited_to(self, ambiguity: str) -> DepthProtocol:
        """The same, but aligned by scale and shift where a model's card leaves both open."""
        if ambiguity == "scale_and_shift" and self.scaling == "median":
            return self.adapted("affine")
        return self

    @property
    def clamps(self) -> bool:
        """Whether predictions are clamped after scaling."""
        return self.clamp != (0.0, np.inf)

    @property
    def crops(self) -> bool:
        """Whether a part of the image counts alone."""
        return self.crop is not None or self.kept_rows < 1

    def as_dict(self) -> dict[str, object]:
        """What is compared, for a JSON file; None where nothing limits it."""
        return {
            "name": self.name,
            "scaling": self.scaling,
            "truth_above_m": self.min_depth,
            "truth_below_m": None if np.isinf(self.max_depth) else self.max_depth,
            "clamp_m": list(self.clamp) if self.clamps else None,
            "cropped": self.crops,
        }

    def describe(self) -> str:
        """One line for people."""
        below = "" if np.isinf(self.max_depth) else f" and below {self.max_depth:g} m"
        clamped = "clamped to {:g} to {:g} m".format(*self.clamp) if self.clamps else "not clamped"
        return (
            f"protocol {self.name}: ground truth above {self.min_depth:g} m{below},"
            f" {'cropped' if self.crops else 'the whole image'},"
            f" prediction {_SCALED[self.scaling]}, {clamped}"
        )

    def rows(self, height: int) -> int:
        """Number of rows, from the top, of an image or truth of `height` that are used."""
        return round(height * self.kept_rows)

    def mask(self, truth: Depth) -> NDArray[np.bool_]:
        """Truth pixels that count; `truth` is HxW with the unused rows already cut off."""
        with np.errstate(invalid="ignore"):
            inside = np.isfinite(truth) & (truth > self.min_depth) & (truth < self.max_depth)
        return inside & self.crop.mask(*truth.shape) if self.crop else inside


PROTOCOLS: Mapping[str, DepthProtocol] = MappingProxyType(
    {
        p.name: p
        for p in (
            DepthProtocol("eigen", 1e-3, 80.0, (1e-3, 80.0), GARG_CROP, png_scale=256.0),
            DepthProtocol(
                "eigen-improved",
                clamp=(1e-3, 80.0),
                png_scale=256.0,
                kitti_truth="improved",
            ),
            DepthProtocol("nyu", 1e-3, 10.0, (1e-3, 10.0), EIGEN_NYU_CROP),
            DepthProtocol("cityscapes", 1e-3, 80.0, (1e-3, 80.0), CITYSCAPES_CROP, kept_rows=0.75),
            DepthProtocol("plain"),
        )
    }
)


@dataclass(frozen=True)
class ImageResult:
    """The metrics of one image."""

    name: str
    metrics: dict[str, float]
    ratio: float  # median(truth) / median(prediction), before scaling and clamping
    pixels: int  # compared
    missing: int  # truth pixels that count but have no finite, positive prediction
    uncertainty: ImageUncertainty | None = None  # where the prediction has one and it was asked for

    @classmethod
    def of_json(cls, stored: dict[str, Any]) -> ImageResult:
        """By its ``asdict``; numbers are exactly what they were."""
        found = stored["uncertainty"]
        return cls(
            **{**stored, "uncertainty": None if found is None else ImageUncertainty.of_json(found)}
        )


def find_protocol(name: str) -> DepthProtocol:
    """The protocol called `name`; UserError listing them otherwise."""
    if name not in PROTOCOLS:
        raise UserError(f"unknown protocol '{name}': use one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]


def evaluate_image(
    disparity: Depth,
    truth: Depth,
    protocol: DepthProtocol,
    name: str = "image",
    maps: UncertaintyMaps | None = None,
) -> ImageResult | None:
    """Compare one prediction with its truth.

    `disparity` is 1/depth up to scale, of any size, NaN where there is none; it is resized to the
    truth's (OpenCV bilinear, half-pixel centres) and inverted there. `truth` is HxW metres. Rows
    that the protocol does not use are already cut off both. None when no pixel can be compared.
    With ``maps``, of any size, the result says whether they tell where depth errs. A scale and a
    shift change the standard deviation in a way that is not known here: then it is not calibrated.
    """
    if disparity.shape != truth.shape:
        disparity = resize_linear(disparity, truth.shape)
    depth = depth_from_disparity(disparity)
    counted = protocol.mask(truth)
    predicted = np.isfinite(depth) & (depth > 0)
    compared = counted & predicted
    if not compared.any():
        return None
    p, t = depth[compared].astype(np.float64), truth[compared].astype(np.float64)
    ratio = median_ratio(p, t)
    if protocol.scaling == "affine":
        aligned = aligned_by_scale_and_shift(p, t)
    else:
        aligned = p * {"median": ratio, "none": 1.0, "stereo": STEREO_FACTOR}[protocol.scaling]
    clamped: NDArray[np.float64] = np.clip(aligned, *protocol.clamp)
    uncertainty = None
    if maps is not None:
        rated = protocol.scaling != "affine"
        uncertainty = evaluate_uncertainty(clamped, t, maps, compared, rated)
    missing = int((counted & ~predicted).sum())
    return ImageResult(name, depth_metrics(clamped, t), ratio, len(t), missing, uncertainty)


def aligned_by_scale_and_shift(depth: Depth, truth: Depth) -> Depth:
    """Depths (N,) whose inverse is that of ``depth``, scaled and shifted to fit ``truth`` (N,).

    Least squares over inverse depth, as in Ranftl et al., "Towards robust monocular depth
    estimation" (MiDaS), 2020. What would lie beyond infinity is as far as the farthest truth.
    """
    inverse = 1 / depth
    columns = np.stack([inverse, np.ones_like(inverse)], 1)
    fitted = columns @ np.linalg.lstsq(columns, 1 / truth, rcond=None)[0]
    return np.asarray(1 / np.maximum(fitted, 1 / truth.max()))


def depth_from_disparity(disparity: Depth) -> Depth:
    """1 / disparity, NaN where the disparity is not positive; serves the other way round too."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(disparity > 0, 1 / disparity, np.nan)


def blend_flipped(disparity: Depth, mirrored: Depth) -> Depth:
    """Flip post-processing (C. Godard et al., CVPR 2017) of HxW disparities.

    `mirrored` is the prediction from the mirrored image, mirrored back. The mean of both, but near
    the left border the mirrored pass, near the right border the normal one, whose view there is not
    cut off by the image's edge.
    """
    ramp = np.linspace(0.0, 1.0, disparity.shape[1], dtype=disparity.dtype)
    left = 1 - np.clip(20 * (ramp - 0.05), 0, 1)
    right = left[::-1]
    return right * disparity + left * mirrored + (1 - left - right) * (disparity + mirrored) / 2
