from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.warp import warp
from monodepth_ros.worlds.render import RenderedFrame, Renderer
from monodepth_ros.worlds.world import World

WALL_DISTANCE, CAMERA_HEIGHT = 6.0, 1.2
SAMPLES = 8
WorldMaker = Callable[..., World]


@pytest.fixture
def frames(make_small_world: WorldMaker) -> Iterator[list[RenderedFrame]]:
    renderer = Renderer(make_small_world(), SAMPLES, seed=1)
    yield [renderer.frame(i) for i in range(3)]


def to_tensor(array: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.asarray(array), dtype=torch.float32)[None]


def test_depth_is_along_the_optical_axis(
    frames: list[RenderedFrame], small_camera: PinholeCamera
) -> None:
    depth, K = frames[0].depth, small_camera.K
    # The wall faces the camera: one Z for all of it, though its corner is farther away.
    top = int(K[1, 2]) - 2
    np.testing.assert_allclose(depth[top, :], WALL_DISTANCE, rtol=1e-4)
    # The floor at row v: the ray (v - cy) / fy falls CAMERA_HEIGHT over Z.
    row = small_camera.height - 1
    floor = CAMERA_HEIGHT * K[1, 1] / (row - K[1, 2])
    np.testing.assert_allclose(depth[row, :8], floor, rtol=1e-4)


def test_sky_has_no_depth(frames: list[RenderedFrame]) -> None:
    depth = frames[0].depth
    assert np.isnan(depth[0]).all()  # the wall ends below the upper edge
    assert np.isfinite(depth[25:]).all()


def test_next_frame_warped_by_true_depth_and_pose_reproduces_a_frame(
    make_small_world: WorldMaker, small_camera: PinholeCamera
) -> None:
    renderer = Renderer(make_small_world(), samples=64)
    target, source = renderer.frame(0), renderer.frame(2)

    def typical_error(depth_factor: float) -> float:
        depth = np.nan_to_num(target.depth, nan=1.0) * depth_factor
        image = to_tensor(source.image.transpose(2, 0, 1) / 255.0)
        warped, valid = warp(
            image,
            to_tensor(depth[None]),
            to_tensor(np.linalg.inv(source.pose) @ target.pose),
            to_tensor(small_camera.K),
        )
        expected = to_tensor(target.image.transpose(2, 0, 1) / 255.0)
        error = (warped - expected).abs().mean(dim=1)
        # The median leaves out what only one of the two frames sees.
        return float(error[valid[:, 0] & to_tensor(np.isfinite(target.depth)).bool()].median())

    difference = np.abs(target.image.astype(float) - source.image)[np.isfinite(target.depth)]
    right = typical_error(1.0)
    assert right < 0.4 * np.median(difference) / 255
    for wrong in (0.7, 1.4):
        assert typical_error(wrong) > 1.5 * right


def test_same_seed_gives_the_same_bytes_in_any_order(make_small_world: WorldMaker) -> None:
    first, second = (Renderer(make_small_world(), SAMPLES, seed=5) for _ in range(2))
    ahead = [first.frame(i) for i in (0, 1)]
    late = second.frame(1)
    np.testing.assert_array_equal(ahead[1].image, late.image)
    np.testing.assert_array_equal(ahead[1].depth, late.depth)
    other = Renderer(make_small_world(), SAMPLES, seed=6).frame(1)
    assert (other.image != late.image).any()


def test_noise_changes_from_frame_to_frame(make_small_world: WorldMaker) -> None:
    world = make_small_world()
    still = replace(world, poses=np.repeat(world.poses[:1], 2, axis=0), speed=np.zeros(2))
    renderer = Renderer(still, SAMPLES, seed=0)
    assert (renderer.frame(0).image != renderer.frame(1).image).any()


def test_quick_light_agrees_with_the_reference_path_tracer(make_small_world: WorldMaker) -> None:
    world = make_small_world()
    quick = Renderer(world, 64)._radiance(0, 64)
    reference = Renderer(replace(world, matte=False), 512)._radiance(0, 512)
    np.testing.assert_allclose(quick.mean(axis=(0, 1)), reference.mean(axis=(0, 1)), rtol=0.02)
    assert np.abs(quick - reference).mean() < 0.05 * reference.mean()


def test_metered_exposure_is_one_value_for_the_sequence(make_small_world: WorldMaker) -> None:
    renderer = Renderer(replace(make_small_world(), exposure=None), SAMPLES)
    bright = replace(make_small_world(), exposure=None)
    for emitter in ("sun", "sky"):
        light = dict(bright.scene[emitter])
        key = "irradiance" if emitter == "sun" else "radiance"
        value = light[key]["value"]
        light[key] = {"type": "rgb", "value": 3.0 * value}
        bright.scene[emitter] = light
    # Three times the light, a third of the exposure: the images look the same.
    ratio = renderer.exposure / Renderer(bright, SAMPLES).exposure
    assert ratio == pytest.approx(3.0, rel=1e-3)


def test_mask_covers_what_a_mirror_shows_and_nothing_else(make_small_world: WorldMaker) -> None:
    mirror = {
        "type": "twosided",
        "bsdf": {
            "type": "conductor",
            "specular_reflectance": {"type": "rgb", "value": 0.9},
        },
    }
    frame = Renderer(make_small_world(floor=mirror), SAMPLES).frame(0)
    assert frame.reflective is not None
    ground = np.zeros_like(frame.reflective)
    ground[30:, :8] = True
    wall = np.zeros_like(frame.reflective)
    wall[17:22, :8] = True
    assert frame.reflective[ground].mean() > 0.9
    assert frame.reflective[wall].mean() < 0.05


def test_matte_world_has_no_mask(frames: list[RenderedFrame]) -> None:
    assert all(frame.reflective is None for frame in frames)


def test_oblong_pixels_are_refused(make_small_world: WorldMaker) -> None:
    camera = PinholeCamera.from_focal_length(64, 40, 40.0, 44.0, 31.5, 19.5)
    with pytest.raises(UserError, match="square pixels"):
        Renderer(replace(make_small_world(), camera=camera))


def test_a_lamp_appears_where_the_camera_projects_it(
    make_small_world: WorldMaker, small_camera: PinholeCamera
) -> None:
    world = make_small_world()
    centre = np.array([4.0, 0.9, 1.8])  # metres, above the floor and before the wall
    lamp = {
        "type": "sphere",
        "center": [float(c) for c in centre],
        "radius": 0.12,
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": 500.0}},
    }
    scene = {**world.scene, "lamp": lamp}
    lit = Renderer(replace(world, scene=scene, matte=False, max_bounces=0), 256)._radiance(1, 256)
    point = np.linalg.inv(world.poses[1]) @ np.append(centre, 1.0)
    expected = small_camera.K @ (point[:3] / point[2])
    weight = np.clip(lit[..., 0] - 1.0, 0, None)  # the sky is darker than that
    v, u = np.mgrid[0 : small_camera.height, 0 : small_camera.width]
    found = (u * weight).sum() / weight.sum(), (v * weight).sum() / weight.sum()
    np.testing.assert_allclose(found, expected[:2], atol=0.05)
