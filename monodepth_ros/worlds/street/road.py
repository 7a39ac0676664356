"""The course of a street and its surface: lanes, markings, kerbs, pavements."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from monodepth_ros.worlds import textures
from monodepth_ros.worlds.mesh import Mesh
from monodepth_ros.worlds.scene_builder import SceneBuilder

PIXELS_PER_METRE = 40
KERB_HEIGHT = 0.12
STEP = 0.5  # metres between the points of the centre line


@dataclass
class Street:
    """The centre line with its heading, and the widths of what lies beside it, in metres."""

    centre: np.ndarray  # (n, 2)
    heading: np.ndarray  # (n,) radians
    half_road: float
    parking: float  # width of the parking strip on each side, 0 for none
    pavement: float

    @property
    def length(self) -> float:
        """Metres along the centre line."""
        return STEP * (len(self.centre) - 1)

    @property
    def building_line(self) -> float:
        """Distance of the house fronts from the centre line."""
        return self.half_road + self.parking + self.pavement

    def at(self, along: np.ndarray | float, aside: np.ndarray | float) -> np.ndarray:
        """Points (..., 2) at distances along the street and to the left of its centre line."""
        yaw = self.yaw(along)
        position = np.asarray(along) / STEP
        index = np.arange(len(self.centre))
        x = np.interp(position, index, self.centre[:, 0]) - aside * np.sin(yaw)
        y = np.interp(position, index, self.centre[:, 1]) + aside * np.cos(yaw)
        return np.stack(np.broadcast_arrays(x, y), axis=-1)

    def yaw(self, along: np.ndarray | float) -> np.ndarray:
        """Heading in radians."""
        position = np.asarray(along) / STEP
        return np.interp(position, np.arange(len(self.heading)), self.heading)

    def curvature(self) -> np.ndarray:
        """Change of heading per metre (n,)."""
        return np.gradient(self.heading, STEP)

    def clearance(self, points: np.ndarray) -> float:
        """Smallest distance from any of the points (n, 2) to the centre line."""
        return float(min(np.linalg.norm(self.centre - point, axis=1).min() for point in points))


def lay_out(rng: np.random.Generator, length: float) -> Street:
    """A random street: straights and bends that never turn back on themselves."""
    curvature = [np.zeros(int(rng.uniform(25, 60) / STEP))]
    heading = 0.0
    while sum(map(len, curvature)) * STEP < length:
        sign = -np.sign(heading) if abs(heading) > 0.8 else rng.choice([-1.0, 1.0])
        angle = np.radians(rng.uniform(12, 85))
        angle = min(angle, 1.35 - sign * heading)
        radius = rng.uniform(17, 40) if angle > 0.7 else rng.uniform(30, 90)
        curvature.append(np.full(max(2, int(angle * radius / STEP)), sign / radius))
        curvature.append(np.zeros(int(rng.uniform(10, 70) / STEP)))
        heading += sign * angle
    bends = np.concatenate(curvature)
    ease = np.ones(int(8 / STEP)) / int(8 / STEP)
    headings = np.cumsum(np.convolve(bends, ease, mode="same")) * STEP
    steps = STEP * np.stack([np.cos(headings), np.sin(headings)], axis=-1)
    centre = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    return Street(
        centre=centre,
        heading=np.concatenate([headings, headings[-1:]]),
        half_road=float(rng.uniform(3.0, 4.2)),
        parking=float(rng.choice([0.0, 2.2, 2.2])),
        pavement=float(rng.uniform(1.6, 4.0)),
    )


def build_road(rng: np.random.Generator, street: Street, scene: SceneBuilder) -> None:
    """Add the road, its parking strips, kerbs, pavements and the ground around to the scene."""
    half = street.half_road + street.parking
    texture = _road_texture(rng, street)
    along = np.arange(0, street.length, 1.0)
    road = scene.define("road", texture, (2 * half, along[-1]))
    _strip(road, street, along, (-half, half), (0.0, 0.0))

    slab = int(rng.choice([4, 6, 8, 10]))
    base = textures.colour(rng, (0.05, 0.15), (0.02, 0.18), (0.5, 0.72))
    flags = textures.tiles(rng, base, 1024, 1024, 3 * slab, 2 * slab, 0.07)
    paving = scene.define("paving", flags, (6.0, 6.0))
    kerb = scene.define("kerb", textures.tiles(rng, (0.6, 0.6, 0.58), 128, 512, 1, 8), (8.0, 1.0))
    for side in (-1.0, 1.0):
        outer = side * street.building_line
        _strip(paving, street, along, (side * (half + 0.15), outer), (KERB_HEIGHT, KERB_HEIGHT))
        _strip(kerb, street, along, (side * half, side * half), (-0.02, KERB_HEIGHT))
        edge = (side * half, side * (half + 0.15))
        _strip(kerb, street, along, edge, (KERB_HEIGHT, KERB_HEIGHT))

    middle = street.centre.mean(axis=0)
    ground = scene.define("ground", textures.grass(rng, 1024, 1024), (14.0, 14.0))
    reach = street.length + 150.0
    ground.box((middle[0], middle[1], -0.55), (2 * reach, 2 * reach, 1.0))


def _strip(
    mesh: Mesh,
    street: Street,
    along: np.ndarray,
    sides: tuple[float, float],
    heights: tuple[float, float],
) -> None:
    """A ribbon along the street between two distances from its centre line.

    Its texture runs with the centre line, so that the two edges agree in bends.
    """
    points, uvs = [], []
    across = np.hypot(sides[1] - sides[0], heights[1] - heights[0])
    for aside, height, u in ((sides[0], heights[0], 0.0), (sides[1], heights[1], across)):
        line = street.at(along, aside)
        points.append(np.concatenate([line, np.full((len(line), 1), height)], axis=-1))
        uvs.append(np.stack([np.full_like(along, u), along], axis=-1))
    mesh.sheet(np.stack(points), np.stack(uvs))


def _road_texture(rng: np.random.Generator, street: Street) -> np.ndarray:
    """The whole road surface from its start to its end, first row at the far end."""
    width = int(2 * (street.half_road + street.parking) * PIXELS_PER_METRE)
    length = int(street.length * PIXELS_PER_METRE)
    pieces, done = [], 0
    while done < length:
        rows = 64 * int(rng.uniform(15, 60) * PIXELS_PER_METRE / 64)  # a size quick to transform
        pieces.append(_surface(rng, rows, width))
        done += rows
    road = np.concatenate(pieces)[:length].astype(np.float32) / 255
    _paint_markings(rng, street, road)
    for _ in range(int(street.length / 9)):
        _manhole(rng, road)
    return textures.to_uint8(road)[::-1]


def _surface(rng: np.random.Generator, rows: int, width: int) -> np.ndarray:
    if rng.random() < 0.12:
        tile = textures.cobbles(rng, 512, 512, 64)
        return np.tile(tile, (rows // 512 + 1, width // 512 + 1, 1))[:rows, :width]
    return textures.asphalt(rng, rows, width)


def _paint_markings(rng: np.random.Generator, street: Street, road: np.ndarray) -> None:
    """Lane lines, edge lines, crossings and parking bays, worn by traffic."""
    length, width = road.shape[:2]
    paint = np.zeros((length, width), np.float32)
    scale = PIXELS_PER_METRE
    middle, line = width // 2, max(3, int(0.12 * scale))
    dash, gap = rng.uniform(2, 4), rng.uniform(2, 6)
    solid = rng.random(int(length / scale / 40) + 1) < 0.25
    for k in range(int(length / scale / (dash + gap)) + 1):
        start = int(k * (dash + gap) * scale)
        whole = solid[min(len(solid) - 1, int(k * (dash + gap) / 40))]
        stop = start + int((dash + gap if whole else dash) * scale)
        paint[start:stop, middle - line // 2 : middle + line // 2 + 1] = 1
    edge = int((street.parking + 0.15) * scale)
    if rng.random() < 0.7:
        paint[:, edge : edge + line] = 1
        paint[:, width - edge - line : width - edge] = 1
    if street.parking and rng.random() < 0.6:
        bay = int(rng.uniform(5.0, 6.0) * scale)
        for row in range(0, length, bay):
            paint[row : row + line, :edge] = 1
            paint[row : row + line, width - edge :] = 1
    for start in np.arange(rng.uniform(15, 60), length / scale - 6, rng.uniform(35, 90)):
        _crossing(paint, int(start * scale), edge, scale)
    worn = np.clip(0.85 - 0.3 * textures.fractal(rng, length, width, 0.8), 0.1, 0.95)
    alpha = (cv2.GaussianBlur(paint, (0, 0), 0.8) * worn)[..., None]
    road *= 1 - alpha
    road += alpha * np.array([0.88, 0.88, 0.85], np.float32)


def _crossing(paint: np.ndarray, row: int, edge: int, scale: int) -> None:
    """A zebra crossing three metres deep."""
    depth, bar = 3 * scale, int(0.5 * scale)
    paint[row - scale // 2 : row + depth + scale // 2, edge : -edge or None] = 0
    for left in range(edge + bar // 2, paint.shape[1] - edge - bar, 2 * bar):
        paint[row : row + depth, left : left + bar] = 1


def _manhole(rng: np.random.Generator, road: np.ndarray) -> None:
    length, width = road.shape[:2]
    radius = int(0.32 * PIXELS_PER_METRE)
    row = int(rng.integers(radius + 2, length - radius - 2))
    column = int(rng.integers(radius + 2, width - radius - 2))
    patch = road[row - radius - 2 : row + radius + 3, column - radius - 2 : column + radius + 3]
    lid = np.ascontiguousarray(patch)
    tone = float(rng.uniform(0.15, 0.35))
    centre = (radius + 2, radius + 2)
    cv2.circle(lid, centre, radius, (tone, tone * 0.97, tone * 0.92), -1)
    for ring in range(3, radius, 4):
        cv2.circle(lid, centre, ring, (tone * 1.5,) * 3, 1)
    patch[:] = lid
