"""The world `street`: a drive through a town, seen from a car."""

from __future__ import annotations

import numpy as np

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.worlds.scene_builder import SceneBuilder, daylight
from monodepth_ros.worlds.street.buildings import build_rows
from monodepth_ros.worlds.street.objects import furnish
from monodepth_ros.worlds.street.road import STEP, Street, build_road, lay_out
from monodepth_ros.worlds.trajectory import camera_pose, shake, speed_profile
from monodepth_ros.worlds.world import World

START = 12.0  # metres of street behind the first frame
AHEAD = 110.0  # metres of street before the last frame
SIDEWAYS_ACCELERATION = 1.8  # m/s^2 that a driver accepts in a bend


def build_street(seed: int, frames: int, camera: PinholeCamera, fps: float) -> World:
    """A street of its own for every seed, and a drive of `frames` frames along it."""
    layout, motion, looks = (np.random.default_rng([seed, k]) for k in range(3))
    wanted = speed_profile(
        motion,
        frames,
        fps,
        cruise=(4.0, 12.0),
        acceleration=2.0,
        stop_probability=0.4,
        stop_seconds=(3.0, 7.0),  # braking takes the first two or three
        leg_seconds=(2.5, 8.0),
    )
    street = lay_out(layout, START + wanted.sum() / fps + AHEAD)
    along, speed = _drive(street, wanted, fps)
    scene = SceneBuilder(emitters=daylight(looks))
    build_road(looks, street, scene)
    furnish(layout, street, scene, build_rows(layout, street, scene))
    return World(
        name="street",
        scene=scene.build(),
        poses=_poses(motion, street, along, speed, fps),
        speed=speed,
        camera=camera,
        fps=fps,
        max_bounces=2,
        glossy=False,
        matte=True,
    )


def _drive(street: Street, wanted: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Distance along the street (N,) and speed (N,), slowed ahead of and in bends."""
    limit = np.sqrt(SIDEWAYS_ACCELERATION / np.maximum(np.abs(street.curvature()), 1e-3))
    for i in range(len(limit) - 2, -1, -1):  # brake early enough for what comes
        limit[i] = min(limit[i], np.sqrt(limit[i + 1] ** 2 + 2 * 1.8 * STEP))
    along, speed = np.empty(len(wanted)), np.empty(len(wanted))
    position = START
    for i, value in enumerate(wanted):
        speed[i] = min(value, float(np.interp(position / STEP, np.arange(len(limit)), limit)))
        along[i] = position
        position += speed[i] / fps
    return along, speed


def _poses(
    rng: np.random.Generator, street: Street, along: np.ndarray, speed: np.ndarray, fps: float
) -> np.ndarray:
    """Camera poses (N, 4, 4): on one lane, swaying on the springs while the car moves."""
    count = len(along)
    lane = rng.choice([-1.0, 1.0]) * 0.5 * street.half_road
    # Drifting in the lane goes with the way driven: a standing car does not slide sideways.
    metres = np.arange(along[-1] + 2)
    drift = lane + np.interp(along, metres, shake(rng, len(metres), 1.0, 0.12, 0.02))
    moving = np.clip(speed / 5.0, 0.0, 1.0)
    height = rng.uniform(1.3, 1.7) + moving * shake(rng, count, fps, 0.012, 2.0)
    pitch = rng.normal(0, 0.02) + moving * shake(rng, count, fps, 0.004, 2.0)
    if count > 1:
        pitch += 0.004 * np.clip(np.gradient(speed) * fps, -4, 4)  # nods when braking
    roll = moving * shake(rng, count, fps, 0.004, 1.5)
    mount = rng.normal(0, 0.05)
    position = street.at(along, drift)
    look = street.yaw(along + 1.5) + mount + moving * shake(rng, count, fps, 0.006, 0.6)
    return np.stack(
        [
            camera_pose(np.array([x, y, z]), yaw, p, r)
            for (x, y), z, yaw, p, r in zip(position, height, look, pitch, roll, strict=True)
        ]
    )
