"""Which coefficients are taken as which model, and what is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.distortion import checked_distortion, widest_ray

FIVE = (0.1, -0.2, 0.001, 0.002, 0.05)
EIGHT = (*FIVE, 0.3, -0.1, 0.02)
FOUR = (-0.004, 0.037, -0.035, 0.006)
ZEROS = (0.0,) * 14


@pytest.mark.parametrize(
    ("model", "D", "expected"),
    [
        ("plumb_bob", FIVE, ("plumb_bob", FIVE)),
        ("plumb_bob", FIVE[:4], ("plumb_bob", FIVE[:4])),
        ("plumb_bob", (*FIVE, 0, 0, 0), ("plumb_bob", FIVE)),
        ("plumb_bob", (0.1, 0, 0, 0, 0, 0, 0, 0), ("plumb_bob", (0.1, 0, 0, 0))),
        ("rational_polynomial", FIVE, ("rational_polynomial", FIVE)),
        ("rational_polynomial", FIVE[:4], ("rational_polynomial", FIVE[:4])),
        ("rational_polynomial", (*FIVE, 0.0), ("rational_polynomial", FIVE)),
        ("rational_polynomial", (*EIGHT, 0, 0, 0), ("rational_polynomial", EIGHT)),
        ("equidistant", (*FOUR, 0), ("equidistant", FOUR)),
        ("equidistant", (*FOUR, 0, 0, 0, 0), ("equidistant", FOUR)),
        ("fisheye", FOUR, ("equidistant", FOUR)),
        ("radtan", FOUR, ("plumb_bob", FOUR)),
        ("radial-tangential", FOUR, ("plumb_bob", FOUR)),
        ("Brown Conrady", FIVE, ("plumb_bob", FIVE)),
        ("", (), ("none", ())),
        ("", ZEROS, ("none", ())),
        ("plumb_bob", ZEROS, ("none", ())),
        ("equidistant", ZEROS[:4], ("none", ())),
    ],
)
def test_taken(model: str, D: tuple[float, ...], expected: tuple[str, tuple[float, ...]]) -> None:
    assert checked_distortion(model, D, "left.yaml") == expected


@pytest.mark.parametrize(
    ("model", "D", "message"),
    [
        ("plumb_bob", FIVE * 2, "the same 5 coefficients twice"),
        ("equidistant", FOUR * 2, "the same 4 coefficients twice"),
        ("rational_polynomial", EIGHT * 2, "the same 8 coefficients twice"),
        ("plumb_bob", EIGHT, "plumb_bob takes 4 or 5 coefficients, got 8"),
        ("plumb_bob", (*EIGHT, 0, 0), "got 10, 8 without the zeros at the end"),
        ("plumb_bob", FIVE[:3], "plumb_bob takes 4 or 5 coefficients, got 3"),
        ("equidistant", FIVE, "equidistant takes 4 coefficients, got 5"),
        ("rational_polynomial", EIGHT[:7], "takes 4, 5, 8, 12 or 14 coefficients, got 7"),
        ("", FIVE, "D has 5 coefficients: set distortion_model to"),
        ("none", FOUR, "D has 4 coefficients: set distortion_model to"),
        ("thin_prism", FIVE, "'thin_prism' is not one of none, plumb_bob"),
        ("inverse_brown_conrady", FIVE, "'inverse_brown_conrady' is not one of"),
        ("plumb_bob", (float("nan"),) * 5, "not finite"),
    ],
)
def test_refused_by_name(model: str, D: tuple[float, ...], message: str) -> None:
    with pytest.raises(UserError, match=f"left.yaml: .*{message}"):
        checked_distortion(model, D, "left.yaml")


@pytest.mark.parametrize(
    ("model", "D", "expected"),
    [
        ("plumb_bob", (-0.4, 0.0, 0.0, 0.0), (1 / 1.2) ** 0.5),  # where 1 + 3 k1 r^2 = 0
        ("plumb_bob", (0.0, 0.0, 0.1, 0.1, -0.1), (1 / 0.7) ** (1 / 6)),
        ("rational_polynomial", (0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0), 1.0),  # r / (1 + r^2)
        ("equidistant", (-0.4, 0.0, 0.0, 0.0), np.tan((1 / 1.2) ** 0.5)),
        ("plumb_bob", (0.3, 0.1, 0.0, 0.0), np.inf),
        ("equidistant", (0.1, 0.0, 0.0, 0.0), np.inf),
        ("none", (), np.inf),
    ],
)
def test_how_far_a_lens_model_holds(model: str, D: tuple[float, ...], expected: float) -> None:
    assert widest_ray(model, D) == pytest.approx(expected, rel=1e-3)
