"""The motion of a whole image, from small copies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from monodepth_ros.inference.points.image_motion import image_motion, small_image


def textured(height: int = 600, width: int = 800) -> np.ndarray:
    """An image of blobs of many sizes."""
    random = np.random.default_rng(3)
    image = np.zeros((height, width), np.float32)
    for size in (4, 12, 36):
        image += cv2.GaussianBlur(
            random.normal(0, size, image.shape).astype(np.float32), (0, 0), size
        )
    image -= image.min()
    return (image / image.max() * 255).astype(np.uint8)


@pytest.mark.parametrize("turn", [0.0, 4.0])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (35.0, -20.0), (-90.0, 40.0)])
def test_a_shift_and_a_turn_are_found(shift: tuple[float, float], turn: float) -> None:
    whole = textured()
    A = cv2.getRotationMatrix2D((400.0, 300.0), turn, 1.0)
    A[:, 2] += shift
    moved = cv2.warpAffine(whole, A, (800, 600))
    first, second = whole[60:540, 80:720], moved[60:540, 80:720]
    found = image_motion(small_image(first), small_image(second), 640)
    centre = np.array([320.0, 240.0])
    expected = A[:, :2] @ (centre + (80, 60)) + A[:, 2] - (80, 60)
    np.testing.assert_allclose(found[:, :2] @ centre + found[:, 2], expected, atol=2.0)
    np.testing.assert_allclose(found[:, :2], A[:, :2], atol=0.02)


def test_an_image_of_one_colour_has_not_moved() -> None:
    plain = small_image(np.full((480, 640), 90, np.uint8))
    np.testing.assert_array_equal(image_motion(plain, plain, 640), np.eye(3)[:2])
    np.testing.assert_array_equal(
        image_motion(plain, small_image(textured()[:480, :640]), 640), np.eye(3)[:2]
    )
