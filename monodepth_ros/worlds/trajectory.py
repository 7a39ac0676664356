"""Camera motion that looks carried or driven: poses T_world_camera in a world with z up."""

from __future__ import annotations

import numpy as np


def camera_pose(
    position: np.ndarray, yaw: float, pitch: float = 0.0, roll: float = 0.0
) -> np.ndarray:
    """T_world_camera 4x4 of an optical frame at `position` (3,).

    `yaw` turns the view about world z from world x, positive `pitch` looks up, positive `roll`
    turns the camera clockwise about its own axis; radians.
    """
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    level = np.stack([right, down, forward], axis=1)
    c, s = np.cos(roll), np.sin(roll)
    pose = np.eye(4)
    pose[:3, :3] = level @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    pose[:3, 3] = position
    return pose


def shake(
    rng: np.random.Generator, frames: int, fps: float, amplitude: float, cutoff: float
) -> np.ndarray:
    """Smooth random wobble (frames,) of standard deviation `amplitude`, with no motion faster than
    `cutoff` hertz. The wobble over the first frames does not depend on how many follow."""
    step = 1.0 / (2.0 * cutoff)
    knots = rng.standard_normal(int(np.ceil(20000 / fps / step)) + 4)
    time = np.arange(frames) / fps / step
    return amplitude * _b_spline(knots, time) / 0.69  # deviation of the spline of unit knots


def speed_profile(
    rng: np.random.Generator,
    frames: int,
    fps: float,
    cruise: tuple[float, float],
    acceleration: float,
    stop_probability: float,
    stop_seconds: tuple[float, float],
    leg_seconds: tuple[float, float],
) -> np.ndarray:
    """Speeds (frames,) in m/s: legs at a cruising speed each, some of them standstills, joined by
    changes no stronger than `acceleration` m/s^2."""
    target = np.empty(0)
    moving = True
    while len(target) < frames:
        stop = moving and len(target) > 0 and rng.random() < stop_probability
        seconds = rng.uniform(*(stop_seconds if stop else leg_seconds))
        value = 0.0 if stop else rng.uniform(*cruise)
        target = np.concatenate([target, np.full(max(1, round(seconds * fps)), value)])
        moving = not stop
    speed = np.empty(frames)
    speed[0] = target[0]
    for i in range(1, frames):
        change = np.clip(target[i] - speed[i - 1], -1.6 * acceleration / fps, acceleration / fps)
        speed[i] = speed[i - 1] + change
    return speed


def arc_length(points: np.ndarray) -> np.ndarray:
    """Distance (N,) from the first of the points (N, D) along the polyline."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _b_spline(knots: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Uniform cubic B-spline of the knots at `time` in knot intervals."""
    i = np.floor(time).astype(int)
    t = time - i
    weights = (
        (1 - t) ** 3,
        3 * t**3 - 6 * t**2 + 4,
        -3 * t**3 + 3 * t**2 + 3 * t + 1,
        t**3,
    )
    return sum(w * knots[i + k] for k, w in enumerate(weights)) / 6.0
