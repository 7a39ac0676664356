"""The pinhole camera: how K follows the image, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera, intrinsics_matrix


def camera(**changes: object) -> PinholeCamera:
    values = dict(width=64, height=48, fx=50.0, fy=60.0, cx=30.0, cy=20.0) | changes
    return PinholeCamera.from_focal_length(**values)  # type: ignore[arg-type]


def test_resizing_scales_each_row_with_its_side() -> None:
    K = camera().resized(height=24, width=128).K
    np.testing.assert_allclose(K, [[100, 0, 60], [0, 30, 10], [0, 0, 1]])


def test_cropping_moves_the_principal_point() -> None:
    cropped = camera().cropped(top=5, left=10, height=20, width=30)
    np.testing.assert_allclose(cropped.K, [[50, 0, 20], [0, 60, 15], [0, 0, 1]])
    assert (cropped.width, cropped.height) == (30, 20)
    with pytest.raises(ValueError, match="leaves the image"):
        camera().cropped(top=40, left=0, height=20, width=30)


def test_a_flipped_camera_sees_the_mirrored_point_at_the_mirrored_pixel() -> None:
    point = np.array([0.4, -0.2, 2.0])
    pixel = camera().K @ point
    mirrored = camera().flipped().K @ (point * [-1, 1, 1])
    assert mirrored[0] / mirrored[2] == pytest.approx(64 - 1 - pixel[0] / pixel[2])
    assert mirrored[1] / mirrored[2] == pytest.approx(pixel[1] / pixel[2])


def test_flipping_a_distorted_camera_mirrors_the_distortion() -> None:
    cv2 = pytest.importorskip("cv2")
    lens = PinholeCamera(64, 48, camera().K, "plumb_bob", (0.1, -0.05, 0.01, 0.02, 0.003))
    point = np.array([[0.4, -0.2, 2.0]])
    zero = np.zeros(3)
    seen = cv2.projectPoints(point, zero, zero, lens.K, np.array(lens.D))[0].ravel()
    flipped = lens.flipped()
    mirrored = point * [-1, 1, 1]
    seen_mirrored = cv2.projectPoints(mirrored, zero, zero, flipped.K, np.array(flipped.D))[0]
    np.testing.assert_allclose(seen_mirrored.ravel(), [63 - seen[0], seen[1]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fx": 0.0}, "fx=0"),
        ({"fy": -3.0}, "fy=-3"),
        ({"cx": 64.0}, r"\(64, 20\) is outside the 64x48 image"),
        ({"cy": float("nan")}, "not a finite"),
        ({"width": 0}, "0x48"),
    ],
)
def test_what_is_no_camera_is_refused_by_name(changes: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=f"left.yaml.*{message}"):
        camera(**changes).validate("left.yaml")


def test_all_zero_intrinsics_are_refused() -> None:
    with pytest.raises(UserError, match="fx=0, fy=0"):
        PinholeCamera(64, 48, np.zeros((3, 3))).validate("camera_info")


def test_distortion_is_checked() -> None:
    with pytest.raises(UserError, match="'fisheye62' is not one of"):
        PinholeCamera(64, 48, camera().K, "fisheye62").validate("x")
    with pytest.raises(UserError, match="takes 4 or 5 coefficients, got 3"):
        PinholeCamera(64, 48, camera().K, "plumb_bob", (0.1, 0.2, 0.3)).validate("x")
    lens = PinholeCamera(64, 48, camera().K, "plumb_bob", (0.1, 0.2, 0, 0)).validate("x")
    assert lens.distorted and not lens.undistorted().distorted


def test_intrinsics_from_four_or_nine_values() -> None:
    np.testing.assert_allclose(intrinsics_matrix([50, 60, 30, 20]), camera().K)
    np.testing.assert_allclose(intrinsics_matrix(camera().K.ravel()), camera().K)
    with pytest.raises(ValueError, match="got 5"):
        intrinsics_matrix(range(5))
