"""The pinhole camera: how K follows the image, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera, intrinsics_matrix


def camera(**changes: object) -> PinholeCamera:
    values = dict(width=64, height=48, fx=50.0, fy=60.0, cx=30.0, cy=20.0) | changes
    return PinholeCamera.from_focal_length(**values)  # type: ignore[arg-type]


def test_resizing_keeps_the_edges_of_the_image() -> None:
    """Half a pixel beyond the outer pixel centres: cx -> (cx + 0.5) s - 0.5."""
    K = camera().resized(height=24, width=128).K
    np.testing.assert_allclose(K, [[100, 0, 60.5], [0, 30, 9.75], [0, 0, 1]])
    back = camera().resized(24, 128).resized(48, 64).K
    np.testing.assert_allclose(back, camera().K)
    centre = camera(cx=31.5, cy=23.5).resized(7, 9).K[:2, 2]
    np.testing.assert_allclose(centre, [4, 3])  # the middle stays the middle


def test_pixels_of_a_smaller_image_see_along_the_mean_of_their_rays() -> None:
    """An image of each pixel's own direction, halved as images are, is that of the new camera."""

    def directions(of: PinholeCamera) -> np.ndarray:
        rows, columns = np.mgrid[0 : of.height, 0 : of.width]
        rays = np.linalg.inv(of.K) @ np.stack([columns.ravel(), rows.ravel(), np.ones(rows.size)])
        return np.asarray(rays.reshape(3, of.height, of.width))

    halved = directions(camera()).reshape(3, 24, 2, 16, 4).mean((2, 4))
    np.testing.assert_allclose(halved, directions(camera().resized(24, 16)), atol=1e-12)


def test_binning_takes_means_of_blocks_and_cuts_what_is_left() -> None:
    binned = camera(width=65, height=49).binned(rows=2, columns=4)
    assert (binned.width, binned.height) == (16, 24)
    np.testing.assert_allclose(binned.K, [[12.5, 0, 7.125], [0, 30, 9.75], [0, 0, 1]])


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
    ("model", "D"),
    [
        ("plumb_bob", (0.1, -0.05, 0.01, 0.02)),
        ("rational_polynomial", (0.1, -0.05, 0.01, 0.02, 0.003, 0.2, -0.1, 0.02)),
        (
            "rational_polynomial",
            (0.1, -0.05, 0.01, 0.02, 0.003, 0.2, -0.1, 0.02, 0.03, -0.02, 0.04, 0.01),
        ),
        (
            "rational_polynomial",
            (0.1, -0.05, 0.01, 0.02, 0.003, 0.2, -0.1, 0.02, 0.03, -0.02, 0.04, 0.01, 0.1, -0.2),
        ),
        ("equidistant", (0.1, -0.05, 0.01, 0.02)),
    ],
)
def test_mirrored_points_are_seen_at_mirrored_pixels(model: str, D: tuple[float, ...]) -> None:
    cv2 = pytest.importorskip("cv2")
    lens = PinholeCamera(64, 48, camera().K, model, D)
    points = np.array([[0.4, -0.2, 2.0], [-0.9, 0.5, 1.5], [0.1, 0.7, 3.0]])

    def pixels(seen_by: PinholeCamera, points: np.ndarray) -> np.ndarray:
        project = cv2.fisheye.projectPoints if model == "equidistant" else cv2.projectPoints
        zero, coefficients = np.zeros((3, 1)), np.array(seen_by.D)
        arguments = (zero, zero, seen_by.K, coefficients)
        return np.asarray(project(points[:, None], *arguments)[0]).reshape(-1, 2)

    seen = pixels(lens, points)
    mirrored = pixels(lens.flipped(), points * [-1, 1, 1])
    np.testing.assert_allclose(mirrored[:, 0], 63 - seen[:, 0])
    np.testing.assert_allclose(mirrored[:, 1], seen[:, 1])
    assert lens.flipped().flipped().D == lens.D


def test_a_crop_may_leave_the_principal_point_out() -> None:
    window = camera().cropped(top=0, left=40, height=20, width=20)
    assert window.validate("camera_info").K[0, 2] == -10
    assert window.resized(10, 10).validate("camera_info").is_crop
    whole = camera().cropped(top=0, left=0, height=48, width=64)
    assert not whole.is_crop


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


def test_a_valid_camera_has_its_distortion_as_opencv_takes_it() -> None:
    lens = PinholeCamera(64, 48, camera().K, "fisheye", (0.1, 0.2, 0, 0, 0)).validate("x")
    assert (lens.distortion_model, lens.D) == ("equidistant", (0.1, 0.2, 0, 0))
    assert lens.distorted and not lens.undistorted().distorted
    with pytest.raises(UserError, match="'fisheye62' is not one of"):
        PinholeCamera(64, 48, camera().K, "fisheye62").validate("x")


def test_intrinsics_from_four_or_nine_values() -> None:
    np.testing.assert_allclose(intrinsics_matrix([50, 60, 30, 20]), camera().K)
    np.testing.assert_allclose(intrinsics_matrix(camera().K.ravel()), camera().K)
    with pytest.raises(ValueError, match="got 5"):
        intrinsics_matrix(range(5))
