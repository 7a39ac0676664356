"""Triangle meshes assembled from boxes, cylinders and sheets, one mesh for each material.

Texture coordinates are in metres along the surface; a material divides them by the size of its
texture, so that a brick keeps its size on every wall.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monodepth_ros.worlds.mitsuba_backend import load_mitsuba


@dataclass
class Mesh:
    """Growing triangle soup in world coordinates."""

    vertices: list[np.ndarray] = field(default_factory=list)  # (n, 3) blocks
    uvs: list[np.ndarray] = field(default_factory=list)  # (n, 2) blocks
    faces: list[np.ndarray] = field(default_factory=list)  # (m, 3) blocks
    count: int = 0

    def add(self, vertices: np.ndarray, uvs: np.ndarray, faces: np.ndarray) -> None:
        """Append a block: vertices (n, 3), texture coordinates (n, 2), faces (m, 3)."""
        self.vertices.append(np.asarray(vertices, dtype=np.float64).reshape(-1, 3))
        self.uvs.append(np.asarray(uvs, dtype=np.float64).reshape(-1, 2))
        self.faces.append(np.asarray(faces, dtype=np.int64).reshape(-1, 3) + self.count)
        self.count += len(self.vertices[-1])

    def quad(self, corners: np.ndarray, uv: np.ndarray | None = None) -> None:
        """A flat four-cornered sheet; corners (4, 3) in order around it."""
        corners = np.asarray(corners, dtype=np.float64)
        if uv is None:
            width = np.linalg.norm(corners[1] - corners[0])
            height = np.linalg.norm(corners[3] - corners[0])
            uv = np.array([[0, 0], [width, 0], [width, height], [0, height]])
        self.add(corners, uv, np.array([[0, 1, 2], [0, 2, 3]]))

    def sheet(self, grid: np.ndarray, uv: np.ndarray) -> None:
        """A bent sheet through a grid of points (rows, columns, 3) with uv (rows, columns, 2)."""
        rows, columns = grid.shape[:2]
        index = np.arange(rows * columns).reshape(rows, columns)
        a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
        faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], axis=1)
        self.add(grid.reshape(-1, 3), uv.reshape(-1, 2), faces.reshape(-1, 3))

    def box(
        self,
        centre: np.ndarray | tuple[float, float, float],
        size: np.ndarray | tuple[float, float, float],
        frame: np.ndarray | None = None,
        fit_uv: bool = False,
    ) -> None:
        """A box; `frame` (4, 4) places it. `fit_uv` puts the whole texture on each side face."""
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
        half = np.asarray(size, dtype=np.float64) / 2
        for axis in range(3):
            first, second = [(1, 2), (0, 2), (0, 1)][axis]
            for side in (-1.0, 1.0):
                corners = np.zeros((4, 3))
                corners[:, axis] = side * half[axis]
                corners[:, first] = signs[:, 0] * half[first]
                corners[:, second] = signs[:, 1] * half[second]
                corners += np.asarray(centre)
                extent = np.array([1.0, 1.0]) if fit_uv else 2 * half[[first, second]]
                uv = (signs + 1) / 2 * extent
                self.quad(transform(frame, corners), uv)

    def cylinder(
        self,
        base: np.ndarray | tuple[float, float, float],
        axis: np.ndarray | tuple[float, float, float],
        radius: float,
        top_radius: float | None = None,
        sides: int = 12,
        frame: np.ndarray | None = None,
        capped: bool = True,
    ) -> None:
        """A cylinder, or cone frustum, from `base` along the vector `axis`."""
        base, axis = np.asarray(base, dtype=np.float64), np.asarray(axis, dtype=np.float64)
        top_radius = radius if top_radius is None else top_radius
        length = float(np.linalg.norm(axis))
        u, v = _perpendicular(axis / length)
        angle = np.linspace(0, 2 * np.pi, sides + 1)
        ring = np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * v
        grid = np.stack([base + radius * ring, base + axis + top_radius * ring])
        around = angle * max(radius, top_radius)
        uv = np.stack([np.stack([around, np.full_like(around, h)], axis=-1) for h in (0.0, length)])
        self.sheet(transform(frame, grid), uv)
        if capped:
            for centre, r in ((base, radius), (base + axis, top_radius)):
                points = np.concatenate([centre[None], centre + r * ring])
                uv = r * np.concatenate(
                    [np.zeros((1, 2)), np.stack([np.cos(angle), np.sin(angle)], -1)]
                )
                index = np.arange(1, sides + 1)
                self.add(
                    transform(frame, points), uv, np.stack([0 * index, index, index + 1], axis=-1)
                )

    def extrude(
        self,
        outline: np.ndarray,
        half_width: np.ndarray | float,
        frame: np.ndarray | None = None,
    ) -> None:
        """A convex outline (n, 2) in x and z, extruded across y by `half_width` at each point."""
        outline = np.asarray(outline, dtype=np.float64)
        half = np.broadcast_to(np.asarray(half_width, dtype=np.float64), len(outline))
        sides = [
            np.stack([outline[:, 0], sign * half, outline[:, 1]], axis=-1) for sign in (-1.0, 1.0)
        ]
        closed = [np.concatenate([side, side[:1]]) for side in sides]
        along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed[0], axis=0), axis=1))])
        uv = np.stack(
            [np.stack([along, np.full_like(along, w)], -1) for w in (0.0, 2 * float(half.max()))]
        )
        self.sheet(transform(frame, np.stack(closed)), uv)
        fan = np.arange(1, len(outline) - 1)
        for side in sides:
            self.add(transform(frame, side), outline, np.stack([0 * fan, fan, fan + 1], axis=-1))

    def scaled_uvs(self, size: tuple[float, float]) -> np.ndarray:
        """Texture coordinates (n, 2) in repeats of a texture `size` metres wide and high."""
        return np.concatenate(self.uvs) / np.asarray(size)


def transform(frame: np.ndarray | None, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) through a rigid 4x4 `frame`; None leaves them."""
    points = np.asarray(points, dtype=np.float64)
    return points if frame is None else points @ frame[:3, :3].T + frame[:3, 3]


def upright_frame(x: float, y: float, yaw: float, z: float = 0.0) -> np.ndarray:
    """4x4 placing an object that stands on the ground: x axis turned by `yaw` radians."""
    c, s = np.cos(yaw), np.sin(yaw)
    return np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, z], [0, 0, 0, 1]], dtype=np.float64)


def shape(mesh: Mesh, bsdf: Any, uv_size: tuple[float, float] = (1.0, 1.0)) -> Any:
    """The Mitsuba shape of a mesh with flat shading; `bsdf` is a Mitsuba object or dictionary."""
    mi = load_mitsuba()
    vertices, faces = np.concatenate(mesh.vertices), np.concatenate(mesh.faces)
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(bsdf) if isinstance(bsdf, dict) else bsdf
    result = mi.Mesh("mesh", len(vertices), len(faces), properties, has_vertex_texcoords=True)
    parameters = mi.traverse(result)
    parameters["vertex_positions"] = vertices.astype(np.float32).ravel()
    parameters["vertex_texcoords"] = mesh.scaled_uvs(uv_size).astype(np.float32).ravel()
    parameters["faces"] = faces.astype(np.uint32).ravel()
    parameters.update()
    return result


def _perpendicular(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two unit vectors that complete the unit vector `axis` to a right-handed frame."""
    reference = np.array([1.0, 0, 0]) if abs(axis[0]) < 0.9 else np.array([0, 1.0, 0])
    u = np.cross(axis, reference)
    u /= np.linalg.norm(u)
    return u, np.cross(axis, u)
