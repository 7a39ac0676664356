"""A small place to render: a tiled floor, a brick wall, a box, under a sun and a grey sky."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.worlds.mitsuba_backend import VARIANT, llvm_version
from monodepth_ros.worlds.world import World

if (llvm_version() or 0) < 17:  # what is tested here holds for every variant
    os.environ.setdefault(VARIANT, "scalar_rgb")

WALL_DISTANCE = 6.0
CAMERA_HEIGHT = 1.2


@pytest.fixture
def small_camera() -> PinholeCamera:
    """Off-centre on purpose: a centred one hides mistakes of half a pixel and of sign."""
    return PinholeCamera.from_focal_length(64, 40, 40.0, 40.0, 29.0, 21.5)


@pytest.fixture
def make_small_world(small_camera: PinholeCamera) -> Callable[..., World]:
    pytest.importorskip("mitsuba", reason="the extra [synthetic] is not installed")
    from monodepth_ros.worlds import textures
    from monodepth_ros.worlds.mitsuba_backend import load_mitsuba
    from monodepth_ros.worlds.scene_builder import SceneBuilder
    from monodepth_ros.worlds.trajectory import camera_pose

    load_mitsuba()

    def build(floor: dict[str, Any] | None = None, frames: int = 3) -> World:
        rng = np.random.default_rng(0)
        scene = SceneBuilder()
        # Coarse against the pixels: what is told apart here is geometry, not aliasing.
        blotches = [
            textures.to_uint8(textures.shaded(rng, (0.5, 0.5, 0.5), 64, 64, 0.35, 1.3))
            for _ in range(3)
        ]
        ground = scene.define("floor", floor or blotches[0], (6.0, 6.0))
        ground.quad(np.array([[-2, -8, 0], [9, -8, 0], [9, 8, 0], [-2, 8, 0]]))
        wall = scene.define("wall", blotches[1], (7.0, 7.0))
        x = WALL_DISTANCE
        wall.quad(np.array([[x, 8, 0], [x, -8, 0], [x, -8, 2.0], [x, 8, 2.0]]))
        box = scene.define("box", blotches[2], (2.0, 2.0))
        box.box((3.0, -1.0, 0.4), (0.8, 0.8, 0.8))
        scene.emitters = {
            "sun": {
                "type": "directional",
                "direction": [0.5, 0.4, -0.8],
                "irradiance": {"type": "rgb", "value": 2.0},
            },
            "sky": {"type": "constant", "radiance": {"type": "rgb", "value": 0.5}},
        }
        poses = np.stack(
            [
                camera_pose(np.array([0.1 * i, 0.25 * i, CAMERA_HEIGHT]), 0.02 * i)
                for i in range(frames)
            ]
        )
        return World(
            name="small",
            scene=scene.build(),
            poses=poses,
            speed=np.ones(frames),
            camera=small_camera,
            fps=10.0,
            max_bounces=2,
            glossy=floor is not None,
            exposure=1.0,
            matte=floor is None,
        )

    return build
