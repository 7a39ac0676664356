"""Rooms and streets of textured rectangles, seen by a moving camera: images with exact geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import pixel_centres, rays

Array = NDArray[np.float64]
CAMERA = PinholeCamera.centred(240, 320, 260.0)
_TEXELS = 512  # along the side of a texture
_SAMPLES = 2  # rays along the side of a pixel


@dataclass(frozen=True)
class Rectangle:
    """A textured rectangle: a corner and two sides across each other, metres in the world.

    ``texel`` metres are one texel; the texture repeats. ``mover`` says that it moves by itself.
    """

    corner: Array
    right: Array
    down: Array
    seed: int
    texel: float = 0.01
    mover: bool = False

    def moved(self, by: Array) -> Rectangle:
        return replace(self, corner=self.corner + by)


def render(
    surfaces: Sequence[Rectangle], T_world_camera: Array, camera: PinholeCamera = CAMERA
) -> tuple[NDArray[np.uint8], Array, NDArray[np.bool_]]:
    """Grey image, depth with infinity where there is nothing, and which pixels show a mover."""
    fine = camera.resized(camera.height * _SAMPLES, camera.width * _SAMPLES)
    ray = rays(fine, pixel_centres(fine.height, fine.width)) @ T_world_camera[:3, :3].T
    origin = T_world_camera[:3, 3]
    shape = fine.height, fine.width
    depth, grey = np.full(shape, np.inf), np.full(shape, 128, np.float32)
    mover = np.zeros(shape, bool)
    for surface in surfaces:
        sides = np.stack([surface.right, surface.down], 1)
        normal = np.cross(surface.right, surface.down)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = (normal @ (surface.corner - origin)) / (ray @ normal)
            hit = origin + distance[:, None] * ray - surface.corner
        across = hit @ sides / (sides * sides).sum(0)
        inside = (distance > 0.05) & (across >= 0).all(1) & (across <= 1).all(1)
        nearer = inside.reshape(shape) & (distance.reshape(shape) < depth)
        metres = (hit @ sides / np.linalg.norm(sides, axis=0)).astype(np.float32)
        texels = np.nan_to_num(metres / surface.texel, posinf=0, neginf=0).reshape(*shape, 2)
        seen = cv2.remap(
            _texture(surface.seed),
            texels[..., 0] % _TEXELS,
            texels[..., 1] % _TEXELS,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_WRAP,
        )
        grey[nearer], depth[nearer] = seen[nearer], distance.reshape(shape)[nearer]
        mover[nearer] = surface.mover
    middle = slice(_SAMPLES // 2, None, _SAMPLES)
    small = cv2.resize(grey, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    return small.round().clip(0, 255).astype(np.uint8), depth[middle, middle], mover[middle, middle]


def _texture(seed: int) -> NDArray[np.float32]:
    """Noise of several octaves that repeats without a seam."""
    generator = np.random.default_rng(seed)
    total = np.zeros((_TEXELS, _TEXELS), np.float32)
    for octave in (4, 8, 16, 32, 64):
        noise = generator.normal(size=(_TEXELS // octave,) * 2).astype(np.float32)
        wrapped = np.pad(noise, 2, mode="wrap")
        side = len(wrapped) * octave
        large = cv2.resize(wrapped, (side, side), interpolation=cv2.INTER_CUBIC)
        inner = slice(2 * octave, 2 * octave + _TEXELS)
        total += large[inner, inner] * octave**0.5
    return 128 + 40 * (total - total.mean()) / total.std()


def room(width: float = 4.0, height: float = 2.5, length: float = 6.0) -> list[Rectangle]:
    """Five sides of a box about the origin that is looked along, and two boards in it."""
    x, y = width / 2, height / 2
    across, down, along = np.diag([width, height, length + 2])
    near, far = -2.0, length
    return [
        Rectangle(np.array([-x, -y, far]), across, down, 1),
        Rectangle(np.array([-x, y, near]), across, along, 2),
        Rectangle(np.array([-x, -y, near]), across, along, 3),
        Rectangle(np.array([-x, -y, near]), along, down, 4),
        Rectangle(np.array([x, -y, near]), along, down, 5),
        Rectangle(np.array([-1.3, -0.3, 3.0]), np.array([0.8, 0, 0.2]), np.array([0, 1.2, 0]), 6),
        Rectangle(np.array([0.5, -0.9, 4.0]), np.array([0.9, 0, -0.2]), np.array([0, 1.0, 0]), 7),
    ]
