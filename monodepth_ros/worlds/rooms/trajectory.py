"""A handheld walk through furnished rooms, from one thing worth looking at to the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra

from monodepth_ros.worlds.assembly import Array
from monodepth_ros.worlds.rooms.furnishing import CELL, CLEARANCE, Landmark, Occupancy
from monodepth_ros.worlds.trajectory import arc_length, camera_pose, shake, speed_profile

SPACING = 0.03  # metres between points of the planned path
LOOK_AHEAD = 1.6  # metres
MAX_YAW_RATE = np.radians(30.0)  # per second
MAX_PITCH_RATE = np.radians(20.0)


@dataclass
class Walk:
    """Floor points (M, 2) every `SPACING` metres and what is looked at from each, (M, 3)."""

    points: Array
    targets: Array


def plan_walk(
    rng: np.random.Generator, occupancy: Occupancy, landmarks: list[Landmark], length: float
) -> Walk:
    """A walk of at least `length` metres that keeps `CLEARANCE` from everything."""
    free = occupancy.walkable()
    cells = np.argwhere(free)
    graph, clearance = _graph(occupancy, cells), occupancy.clearance()
    here = int(rng.integers(len(cells)))
    route, targets, walked = [cells[here : here + 1] * CELL], [np.zeros((1, 3))], 0.0
    previous: Landmark | None = None
    while walked < length:
        landmark = _next_landmark(rng, landmarks, previous)
        there = _viewpoint(rng, occupancy, cells, landmark)
        _, before = dijkstra(graph, directed=False, indices=here, return_predecessors=True)
        leg = cells[_trace_back(before, here, there)] * CELL
        here = there
        if len(leg) < 2:
            continue
        route.append(leg[1:])
        targets.append(_gaze(rng, occupancy, leg[1:], landmark))
        walked += arc_length(leg)[-1]
        previous = landmark
    points, looks = np.concatenate(route), np.concatenate(targets)
    looks[0] = looks[1]
    points = _smooth(points, clearance)
    travelled = arc_length(points)
    even = np.arange(0.0, travelled[-1], SPACING)
    columns = [np.interp(even, travelled, column) for column in np.column_stack([points, looks]).T]
    return Walk(np.stack(columns[:2], -1), np.stack(columns[2:], -1))


def _graph(occupancy: Occupancy, cells: Array) -> sparse.csr_matrix:
    """Steps between neighbouring free cells; those near obstacles cost more."""
    index = np.full(occupancy.taken.shape, -1)
    index[tuple(cells.T)] = np.arange(len(cells))
    cost = 1.0 + 0.6 / np.maximum(occupancy.clearance()[tuple(cells.T)] - CLEARANCE + 0.1, 0.1)
    rows, columns, weights = [], [], []
    for step in ((1, 0), (0, 1), (1, 1), (1, -1)):
        neighbour = index[tuple((cells + step).T)]
        valid = neighbour >= 0
        rows.append(np.flatnonzero(valid))
        columns.append(neighbour[valid])
        weights.append(np.hypot(*step) * 0.5 * (cost[valid] + cost[neighbour[valid]]))
    shape = (len(cells), len(cells))
    return sparse.csr_matrix(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=shape
    )


def _trace_back(before: Array, start: int, end: int) -> list[int]:
    path = [end]
    while path[-1] != start:
        path.append(int(before[path[-1]]))
    return path[::-1]


def _next_landmark(
    rng: np.random.Generator, landmarks: list[Landmark], previous: Landmark | None
) -> Landmark:
    """Another landmark, mostly of the same room."""
    others = [landmark for landmark in landmarks if landmark is not previous]
    if previous is not None and rng.random() < 0.85:
        same = [landmark for landmark in others if landmark.room == previous.room]
        others = same or others
    if not others:
        return landmarks[0]
    interest = np.array([landmark.interest for landmark in others])
    return others[int(rng.choice(len(others), p=interest / interest.sum()))]


def _viewpoint(
    rng: np.random.Generator, occupancy: Occupancy, cells: Array, landmark: Landmark
) -> int:
    """A free cell in the landmark's room at a good distance from it, else the nearest one."""
    distance = np.hypot(*(cells * CELL - landmark.point[:2]).T)
    room = occupancy.plan.rooms[landmark.room]
    x, y = (cells * CELL).T
    inside = (x > room.x0) & (x < room.x1) & (y > room.y0) & (y < room.y1)
    good = np.flatnonzero(inside & (distance > 1.0) & (distance < 2.5))
    return int(rng.choice(good)) if len(good) else int(np.argmin(distance))


def _gaze(rng: np.random.Generator, occupancy: Occupancy, leg: Array, landmark: Landmark) -> Array:
    """What is looked at along a leg: the way ahead, and once in its room the landmark."""
    room = occupancy.plan.rooms[landmark.room]
    ahead = np.minimum(np.arange(len(leg)) + round(LOOK_AHEAD / CELL), len(leg) - 1)
    height = rng.uniform(0.6, 1.1)
    forward = np.column_stack([leg[ahead], np.full(len(leg), height)])
    wanted = np.asarray(landmark.point) + np.append(rng.normal(0, 0.2, 2), rng.uniform(-0.35, 0.15))
    near = np.hypot(*(leg[ahead] - leg).T) < 0.8
    inside = np.array([room.contains(x, y) for x, y in leg]) | near
    return np.where(inside[:, None], wanted, forward)


def _smooth(points: Array, clearance: Array) -> Array:
    """The path without its corners, as round as the clearance allows."""
    steps = arc_length(points)
    even = np.linspace(0.0, steps[-1], len(points))
    resampled = np.stack([np.interp(even, steps, column) for column in points.T], -1)
    for sigma in (0.5, 0.35, 0.25, 0.15, 0.08):
        smooth = ndimage.gaussian_filter1d(resampled, sigma / CELL, axis=0, mode="nearest")
        if ndimage.map_coordinates(clearance, smooth.T / CELL, order=1).min() >= CLEARANCE + 0.03:
            return smooth
    return resampled


def walk_poses(
    rng: np.random.Generator, walk: Walk, frames: int, fps: float
) -> tuple[Array, Array]:
    """T_world_camera (frames, 4, 4) and speed (frames,) in m/s of a walk with shake and stops."""
    drawn = speed_profile(
        rng,
        frames,
        fps,
        cruise=(0.25, 1.0),
        acceleration=0.8,
        stop_probability=0.12,
        stop_seconds=(0.3, 0.8),
        leg_seconds=(1.0, 3.0),
    )
    travelled = np.minimum(
        np.concatenate([[0.0], np.cumsum(drawn[:-1]) / fps]), (len(walk.points) - 1) * SPACING
    )
    at = np.arange(len(walk.points)) * SPACING
    floor = np.stack([np.interp(travelled, at, column) for column in walk.points.T], -1)
    targets = np.stack([np.interp(travelled, at, column) for column in walk.targets.T], -1)
    height = rng.uniform(1.3, 1.6) + shake(rng, frames, fps, 0.07, 0.25)
    bob = 0.012 * np.sin(2 * np.pi * 1.8 * np.arange(frames) / fps) * np.minimum(drawn / 0.6, 1.0)
    sway = np.stack([shake(rng, frames, fps, 0.008, 1.5) for _ in range(2)], -1)
    positions = np.column_stack(
        [floor + np.clip(sway, -0.02, 0.02), np.clip(height + bob, 1.2, 1.7)]
    )
    yaw, pitch = _eyes(rng, positions, targets, fps)
    roll = np.radians(np.clip(shake(rng, frames, fps, 2.0, 0.5), -5, 5))
    poses = np.stack(
        [camera_pose(p, *angles) for p, *angles in zip(positions, yaw, pitch, roll, strict=True)]
    )
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=1) * fps
    return poses, np.append(steps, steps[-1:]) if frames > 1 else np.zeros(frames)


def _eyes(
    rng: np.random.Generator, positions: Array, targets: Array, fps: float
) -> tuple[Array, Array]:
    """Yaw and pitch in radians that follow the targets as fast as a person turns, and wander."""
    frames = len(positions)
    away = targets - positions
    wander = [np.radians(shake(rng, frames, fps, amplitude, 0.25)) for amplitude in (6.0, 4.0)]
    wanted_yaw = np.unwrap(np.arctan2(away[:, 1], away[:, 0])) + wander[0]
    distance = np.maximum(np.hypot(away[:, 0], away[:, 1]), 0.7)
    wanted_pitch = np.clip(
        np.arctan2(away[:, 2], distance) + wander[1], np.radians(-42), np.radians(12)
    )
    yaw = _follow(wanted_yaw, MAX_YAW_RATE / fps, fps)
    pitch = _follow(wanted_pitch, MAX_PITCH_RATE / fps, fps)
    tremor = [np.radians(shake(rng, frames, fps, 0.35, 2.0)) for _ in range(2)]
    return yaw + tremor[0], pitch + tremor[1]


def _follow(wanted: Array, largest_step: float, fps: float) -> Array:
    """`wanted` with its steps limited, then rounded off."""
    angle = wanted.copy()
    for i in range(1, len(angle)):
        error = wanted[i] - angle[i - 1]
        angle[i] = angle[i - 1] + np.clip(3.0 * error / fps, -largest_step, largest_step)
    return ndimage.gaussian_filter1d(angle, 0.3 * fps, mode="nearest")
