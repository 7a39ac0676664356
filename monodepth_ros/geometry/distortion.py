"""The lens distortion models, by which names they go, and how many coefficients each takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError

# How many coefficients OpenCV takes of each model of sensor_msgs/CameraInfo; those that are left
# out are zero: k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4 [tx ty]]]], and k1 k2 k3 k4.
DISTORTION_COEFFICIENTS: dict[str, tuple[int, ...]] = {
    "none": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (4, 5, 8, 12, 14),
    "equidistant": (4,),
}
# Other names of the same models, as drivers and calibration files write them; in lower case.
_ALIASES = {
    "": "none",
    "pinhole": "none",
    "perspective": "none",
    "undistorted": "none",
    "radtan": "plumb_bob",
    "radial_tangential": "plumb_bob",
    "brown_conrady": "plumb_bob",
    "fisheye": "equidistant",
    "equi": "equidistant",
    "kannala_brandt": "equidistant",
    "kannala_brandt4": "equidistant",
}


def checked_distortion(
    model: str, D: Sequence[float], source: str
) -> tuple[str, tuple[float, ...]]:
    """The model's name and coefficients as OpenCV takes them.

    Coefficients of zeros alone are no distortion, as for image_proc. Zeros behind what the model
    takes are cut off. UserError, which names ``source``, for what does not fit.
    """
    coefficients = tuple(float(d) for d in D)
    if not np.isfinite(coefficients).all():
        raise UserError(f"{source}: distortion coefficients are not finite: {coefficients}")
    name = _name(model, coefficients, source)
    if not any(coefficients):
        return "none", ()
    _check_doubled(coefficients, source)
    return name, _fitting(name, coefficients, source)


def _name(model: str, coefficients: tuple[float, ...], source: str) -> str:
    name = model.strip().lower().replace("-", "_").replace(" ", "_")
    name = _ALIASES.get(name, name)
    known = ", ".join(name for name in DISTORTION_COEFFICIENTS if name != "none")
    if name == "none" and any(coefficients):
        raise UserError(
            f"{source}: distortion_model is {model!r}, but D has {len(coefficients)} coefficients:"
            f" set distortion_model to the one they are of ({known}), or D to zeros"
        )
    if name not in DISTORTION_COEFFICIENTS:
        raise UserError(f"{source}: distortion model {model!r} is not one of none, {known}")
    return name


def _check_doubled(coefficients: tuple[float, ...], source: str) -> None:
    """A driver that starts again may append its coefficients to those of the first time."""
    half, odd = divmod(len(coefficients), 2)
    if half >= 4 and not odd and coefficients[:half] == coefficients[half:]:
        raise UserError(
            f"{source}: D holds the same {half} coefficients twice: restart the driver, or give"
            " the calibration as a file"
        )


def _fitting(model: str, coefficients: tuple[float, ...], source: str) -> tuple[float, ...]:
    allowed = DISTORTION_COEFFICIENTS[model]
    if len(coefficients) in allowed:
        return coefficients
    used = len(np.trim_zeros(coefficients, "b"))
    fits = next((count for count in allowed if used <= count < len(coefficients)), None)
    if fits is None:
        raise UserError(
            f"{source}: {model} takes {_listed(allowed)} coefficients, got {len(coefficients)}"
            + (f", {used} without the zeros at the end" if used < len(coefficients) else "")
            + ": name the model that they are of, or mend D"
        )
    return coefficients[:fits]


def _listed(counts: tuple[int, ...]) -> str:
    *others, last = map(str, counts)
    return f"{', '.join(others)} or {last}" if others else last


def widest_ray(model: str, D: Sequence[float]) -> float:
    """How far from the optical axis, at Z = 1, the lens model holds; infinite where everywhere.

    Its polynomial was fitted to what the sensor sees. Beyond, it may turn back, and would show the
    middle of the image a second time.
    """
    angle = np.linspace(0.0, np.pi / 2, 9001)[:-1]  # from the axis, in steps of 0.01 degrees
    ray = np.tan(angle)
    distorted = _distorted_angle(angle, D) if model == "equidistant" else _distorted_ray(ray, D)
    turns = np.flatnonzero(np.diff(distorted) <= 0)
    return float(ray[turns[0]]) if turns.size else np.inf


def _distorted_angle(angle: NDArray[np.float64], D: Sequence[float]) -> NDArray[np.float64]:
    k1, k2, k3, k4 = (*D, 0.0, 0.0, 0.0, 0.0)[:4]
    return angle * np.polyval([k4, k3, k2, k1, 1.0], angle**2)


def _distorted_ray(ray: NDArray[np.float64], D: Sequence[float]) -> NDArray[np.float64]:
    """By the radial terms: the others bend little."""
    k1, k2, _, _, k3, k4, k5, k6 = (*D, *[0.0] * 8)[:8]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            ray * np.polyval([k3, k2, k1, 1.0], ray**2) / np.polyval([k6, k5, k4, 1.0], ray**2)
        )
