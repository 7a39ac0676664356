"""Multi-part meshes: boxes, turned and cushioned bodies and printed cards, gathered by material.

A part is made in a local frame (x width, y depth, z up, origin on the floor) and placed by a 4x4
transform. Texture coordinates are metres (the grain runs along the longer edge) or a rectangle of
the print atlas.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monodepth_ros.worlds.rooms.prints import CELLS, cell_rectangle

Array = NDArray[Any]
Rectangle = tuple[float, float, float, float]
Triple = tuple[float, float, float]

PRINTS = "prints"  # the material of everything that takes its surface from the atlas


@dataclass(frozen=True)
class Patch:
    """Triangles of one material: vertices, normals (n, 3), uv (n, 2), faces (m, 3)."""

    material: str
    vertices: Array
    normals: Array
    uv: Array
    faces: NDArray[np.int64]


def pose(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Array:
    """4x4 placement: a turn by `yaw` (radians) about the vertical, then a shift."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    return np.array([[cosine, -sine, 0, x], [sine, cosine, 0, y], [0, 0, 1, z], [0, 0, 0, 1.0]])


def tilt(angle: float) -> Array:
    """4x4 turn by `angle` (radians) about x: positive leans the top of a thing towards -y."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0, 0], [0, cosine, -sine, 0], [0, sine, cosine, 0], [0, 0, 0, 1.0]])


@dataclass
class Assembly:
    """Patches in one local frame."""

    rng: np.random.Generator
    patches: list[Patch] = field(default_factory=list)

    def place(self, other: Assembly, transform: Array) -> None:
        """Adds a copy of `other`, moved by `transform` (this frame from its frame)."""
        rotation, shift = transform[:3, :3], transform[:3, 3]
        for patch in other.patches:
            moved, normals = patch.vertices @ rotation.T + shift, patch.normals @ rotation.T
            self.patches.append(Patch(patch.material, moved, normals, patch.uv, patch.faces))

    def quad(self, material: str, corners: ArrayLike, rectangle: Rectangle | None = None) -> None:
        """A rectangle from its corners, counter-clockwise seen from the front, lower left first."""
        points = np.asarray(corners, float)
        faces = np.array([[0, 1, 2], [0, 2, 3]])
        uv = self._metric_uv(points) if rectangle is None else _corner_uv(rectangle)
        normals = np.array([_unit_normal(points)] * 4)
        self.patches.append(Patch(material, points, normals, uv, faces))

    def _metric_uv(self, points: Array) -> Array:
        width, height = math.dist(points[1], points[0]), math.dist(points[3], points[0])
        if height > width:
            uv = np.array([[0, 0], [0, width], [height, width], [height, 0]])
        else:
            uv = np.array([[0, 0], [width, 0], [width, height], [0, height]])
        return uv + self.rng.uniform(0, 4, 2)

    def box(
        self,
        material: str,
        centre: Triple,
        size: Triple,
        rectangle: Rectangle | None = None,
        yaw: float = 0.0,
    ) -> None:
        """A box; with an atlas rectangle every face shows it whole."""
        half = np.asarray(size) / 2
        turn = pose(*centre, yaw=yaw)
        for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)):
            corners = _face(axis, sign) * half
            self.quad(material, corners @ turn[:3, :3].T + turn[:3, 3], rectangle)

    def card(
        self, kind: str, centre: Triple, width: float, height: float, facing: str = "front"
    ) -> None:
        """A flat print of a random cell of `kind` that faces "front" (+y) or "up" (+z)."""
        right = np.array([-width / 2, 0, 0]) if facing == "front" else np.array([width / 2, 0, 0])
        up = np.array([0, 0, height / 2]) if facing == "front" else np.array([0, height / 2, 0])
        corners = [-right - up, right - up, right + up, -right + up]
        self.quad(PRINTS, [np.asarray(centre) + corner for corner in corners], self.cell(kind))

    def cell(self, kind: str) -> Rectangle:
        """A random atlas cell of a kind."""
        return cell_rectangle(int(self.rng.choice(CELLS[kind])))

    def turned(
        self,
        material: str,
        base: Triple,
        profile: Sequence[tuple[float, float]],
        sides: int = 12,
        rectangle: Rectangle | None = None,
    ) -> None:
        """A surface of revolution about the vertical through `base`; its profile is
        (radius, height) from below."""
        radius, height = np.asarray(profile, float).T
        angle = np.linspace(0, 2 * np.pi, sides + 1)
        slope = np.stack([np.gradient(height), -np.gradient(radius)])
        slope /= np.maximum(np.linalg.norm(slope, axis=0), 1e-9)
        circle = np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], -1)
        up = np.array([0, 0, 1.0])
        vertices = radius[:, None, None] * circle + height[:, None, None] * up + np.asarray(base)
        normals = slope[0][:, None, None] * circle + slope[1][:, None, None] * up
        along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(radius), np.diff(height)))])
        around = angle * max(float(radius.max()), 0.02)
        self._grid(material, vertices, normals, around, along, rectangle)

    def cylinder(
        self, material: str, base: Triple, radius: float, height: float, sides: int = 10
    ) -> None:
        """An upright cylinder with a lid."""
        self.turned(material, base, [(radius, 0), (radius, height)], sides)
        self.disc(material, (base[0], base[1], base[2] + height), radius, sides)

    def cushion(
        self,
        material: str,
        centre: Triple,
        size: Triple,
        yaw: float = 0.0,
        squareness: float = 0.35,
        rectangle: Rectangle | None = None,
    ) -> None:
        """A rounded box |x|^n + |y|^n + |z|^n = 1 with n = 2 / squareness: an ellipsoid for 1,
        boxier for less."""
        exponent, half, turn = 2.0 / squareness, np.asarray(size) / 2, pose(*centre, yaw=yaw)
        steps = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 9))
        for axis, sign in ((0, 1), (0, -1), (1, 1), (1, -1), (2, 1), (2, -1)):
            lower_left, lower_right, _, upper_left = _face(axis, sign)
            s, t = np.meshgrid((steps + 1) / 2, (steps + 1) / 2)
            cube = (
                lower_left
                + s[..., None] * (lower_right - lower_left)
                + t[..., None] * (upper_left - lower_left)
            )
            unit = cube / (np.abs(cube) ** exponent).sum(-1, keepdims=True) ** (1 / exponent)
            normals = np.sign(unit) * np.abs(unit) ** (exponent - 1) / half
            normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
            edges = [
                np.linalg.norm((corner - lower_left) * half) for corner in (lower_right, upper_left)
            ]
            placed = unit * half @ turn[:3, :3].T + turn[:3, 3]
            columns, rows = ((steps + 1) / 2 * edge for edge in edges)
            self._grid(material, placed, normals @ turn[:3, :3].T, columns, rows, rectangle)

    def disc(self, material: str, centre: Triple, radius: float, sides: int = 24) -> None:
        """A round sheet that faces up."""
        angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
        rings = [
            radius * share * np.stack([np.cos(angle), np.sin(angle)], -1)
            for share in (1 / 3, 2 / 3, 1)
        ]
        flat = np.concatenate([np.zeros((1, 2)), *rings])
        index = np.arange(sides)
        following = (index + 1) % sides
        faces = [np.stack([0 * index, 1 + index, 1 + following], -1)]
        for ring in (1, 1 + sides):
            inner, outer = ring + index, ring + sides + index
            faces.append(np.stack([inner, outer, ring + sides + following], -1))
            faces.append(np.stack([inner, ring + sides + following, ring + following], -1))
        vertices = np.column_stack([flat, np.zeros(len(flat))]) + np.asarray(centre)
        normals = np.tile([0, 0, 1.0], (len(flat), 1))
        uv = flat + self.rng.uniform(0, 4, 2)
        self.patches.append(Patch(material, vertices, normals, uv, np.concatenate(faces)))

    def _grid(
        self,
        material: str,
        vertices: Array,
        normals: Array,
        around: Array,
        along: Array,
        rectangle: Rectangle | None,
    ) -> None:
        rows, columns = vertices.shape[:2]
        if rectangle is None:
            offset = self.rng.uniform(0, 4, 2)
            u, v = np.meshgrid(around + offset[0], along + offset[1])
        else:
            u0, v0, u1, v1 = rectangle
            u, v = np.meshgrid(
                u0 + (u1 - u0) * around / around[-1], v0 + (v1 - v0) * along / along[-1]
            )
        corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
        lower = np.stack([corner, corner + 1, corner + columns + 1], -1)
        upper = np.stack([corner, corner + columns + 1, corner + columns], -1)
        self.patches.append(
            Patch(
                material,
                vertices.reshape(-1, 3),
                normals.reshape(-1, 3),
                np.stack([u.ravel(), v.ravel()], -1),
                np.concatenate([lower, upper]),
            )
        )


def merge(patches: Iterable[Patch]) -> dict[str, Patch]:
    """One patch per material, keyed by its name."""
    grouped: dict[str, list[Patch]] = {}
    for patch in patches:
        grouped.setdefault(patch.material, []).append(patch)
    merged = {}
    for material, group in grouped.items():
        starts = np.cumsum([0] + [len(patch.vertices) for patch in group[:-1]])
        merged[material] = Patch(
            material,
            np.concatenate([patch.vertices for patch in group]),
            np.concatenate([patch.normals for patch in group]),
            np.concatenate([patch.uv for patch in group]),
            np.concatenate(
                [patch.faces + start for patch, start in zip(group, starts, strict=True)]
            ),
        )
    return merged


def _corner_uv(rectangle: Rectangle) -> Array:
    u0, v0, u1, v1 = rectangle
    return np.array([[u0, v0], [u1, v0], [u1, v1], [u0, v1]])


def _unit_normal(points: Array) -> Triple:
    """The normal of a rectangle (4, 3); plain floats, for numpy is slow on three numbers."""
    corner, right, _, up = points.tolist()
    ax, ay, az = (end - start for end, start in zip(right, corner, strict=True))
    bx, by, bz = (end - start for end, start in zip(up, corner, strict=True))
    x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    length = math.hypot(x, y, z)
    return x / length, y / length, z / length


@lru_cache(maxsize=6)
def _face(axis: int, sign: int) -> Array:
    """Corners (4, 3) of a face of the cube [-1, 1]^3, counter-clockwise from outside."""
    if axis == 2:
        square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [sign, 1]
        return np.column_stack([square, np.full(4, sign)])
    run = np.array([-1, 1, 1, -1]) * (sign if axis == 0 else -sign)
    rise = np.array([-1, -1, 1, 1])
    side = np.full(4, sign)
    return np.column_stack([side, run, rise] if axis == 0 else [run, side, rise])
