"""A world in closed form: floor, back wall and a pillar with sine textures, seen by a camera."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.geometry.camera import PinholeCamera

HEIGHT, WIDTH = 32, 64
CAMERA = PinholeCamera.from_focal_length(WIDTH, HEIGHT, 40.0, 40.0, 31.5, 15.5)
FLOOR, WALL, PILLAR = 0.8, 6.0, 2.5  # metres below, in front of, and in front of the camera


def render(
    T_world_camera: NDArray[np.float64], camera: PinholeCamera = CAMERA
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Image and true depth from a camera that looks along the world's z."""
    v, u = np.mgrid[: camera.height, : camera.width]
    (fx, _, cx), (_, fy, cy), _ = camera.K
    rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones_like(u)], -1)
    origin = T_world_camera[:3, 3]
    with np.errstate(divide="ignore"):
        floor = np.where(rays[..., 1] > 0, (FLOOR - origin[1]) / rays[..., 1], np.inf)
    wall = np.full_like(floor, WALL - origin[2])
    pillar = np.full_like(floor, PILLAR - origin[2])
    pillar[np.abs(origin[0] + pillar * rays[..., 0]) > 0.5] = np.inf
    candidates = np.stack([floor, wall, pillar])
    surface = candidates.argmin(0)
    depth = candidates.min(0)
    points = origin + depth[..., None] * rays
    return texture(points, surface), depth.astype(np.float32)


def texture(points: NDArray[np.float64], surface: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Colours of world points; every surface has its own waves and its own tint."""
    x, y, z = np.moveaxis(points, -1, 0)
    value = np.zeros((*surface.shape, 3))
    for channel, (a, b, c) in enumerate([(2.1, 3.3, 4.1), (3.7, 1.9, 2.9), (5.3, 4.7, 1.7)]):
        wave = np.sin(a * x + surface) + np.sin(b * (y + z) + 2 * surface) + np.sin(c * (x - z))
        value[..., channel] = 0.5 + 0.12 * wave + 0.06 * (surface - 1) * (1 - channel)
    return (255 * value.clip(0, 1)).round().astype(np.uint8)


def walk(index: int, start: float = -0.6, step: float = 0.05) -> NDArray[np.float64]:
    """``T_world_camera`` on a sideways walk with a slight bob."""
    T_world_camera = np.eye(4)
    T_world_camera[:3, 3] = start + step * index, 0.03 * np.sin(index), 0.02 * index
    return T_world_camera


def write_corridor(
    folder: Path,
    frames: int = 24,
    start: float = -0.6,
    step: float = 0.05,
    depth: bool = True,
    camera: PinholeCamera = CAMERA,
    reflective: bool = False,
) -> Path:
    """A sequence folder of that walk; with reflective masks the pillar counts as a mirror."""
    with SequenceWriter(folder, camera, fps=10.0) as writer:
        for index in range(frames):
            T_world_camera = walk(index, start, step)
            image, truth = render(T_world_camera, camera)
            mirror = np.isclose(truth, PILLAR - T_world_camera[2, 3]) if reflective else None
            writer.add(
                image, depth=truth if depth else None, pose=T_world_camera, reflective=mirror
            )
    return folder
