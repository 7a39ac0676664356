"""What stands in a street: parked cars, trees, hedges, lamps, signs, street furniture."""

from __future__ import annotations

import numpy as np

from monodepth_ros.worlds import textures
from monodepth_ros.worlds.mesh import Mesh, transform, upright_frame
from monodepth_ros.worlds.scene_builder import SceneBuilder
from monodepth_ros.worlds.street.road import KERB_HEIGHT, Street

Rng = np.random.Generator
PAINTS = 9
SIGNS = 6
FOLIAGES = 4


def furnish(
    rng: Rng,
    street: Street,
    scene: SceneBuilder,
    gaps: list[tuple[float, float, float]],
) -> None:
    """Place parked cars, trees and street furniture along both sides, and close the gaps."""
    _define_materials(rng, scene)
    for side in (-1.0, 1.0):
        _park_cars(rng, street, scene, side)
        _line_pavement(rng, street, scene, side)
    for side, start, end in gaps:
        _fill_gap(rng, street, scene, side, start, end)


def add_car(rng: Rng, scene: SceneBuilder, frame: np.ndarray) -> None:
    """A car standing at the origin of `frame`, facing its x axis."""
    body = scene[f"paint{int(rng.integers(0, PAINTS))}"]
    glass, tyre, rim, dark = scene["car_glass"], scene["tyre"], scene["rim"], scene["dark"]
    length, half = rng.uniform(3.7, 4.8), rng.uniform(0.82, 0.93)
    belt, roof = rng.uniform(0.82, 1.0), rng.uniform(1.38, 1.6)
    kind = rng.random()
    if kind > 0.88:  # a van
        length, half, belt, roof = rng.uniform(4.8, 5.8), 0.98, 1.15, rng.uniform(1.9, 2.5)
    front, rear = length / 2, -length / 2
    nose = 0.3 * length if kind <= 0.88 else 0.2 * length
    tail = 0.22 * length if kind < 0.4 else 0.04 * length
    low = 0.28
    body_outline = np.array(
        [
            [rear + 0.05, low], [front - 0.05, low], [front, low + 0.2],
            [front - 0.04, belt - 0.22], [front - 0.2, belt - 0.12], [front - nose, belt],
            [rear + 0.12, belt + 0.02], [rear, belt - 0.25],
        ]
    )  # fmt: skip
    widths = half * np.array([0.92, 0.92, 0.94, 0.95, 0.96, 1.0, 1.0, 0.95])
    body.extrude(body_outline, widths, frame)
    cabin = np.array(
        [
            [rear + tail, belt], [front - nose, belt],
            [front - nose - 0.55 * (roof - belt) - 0.25, roof - 0.06],
            [rear + tail + 0.3, roof - 0.06],
        ]
    )  # fmt: skip
    cabin_widths = np.array([0.95, 0.95, 0.76, 0.76]) * half
    glass.extrude(cabin, cabin_widths, frame)
    top = np.array([cabin[3], cabin[2], cabin[2] + [-0.12, 0.06], cabin[3] + [0.1, 0.06]])
    body.extrude(top, np.array([0.77, 0.77, 0.7, 0.7]) * half, frame)
    _pillars(body, cabin, cabin_widths, frame)
    for x in (0.32 * length, -0.31 * length):
        for side in (-1.0, 1.0):
            y = side * (half - 0.1)
            tyre.cylinder((x, y - 0.11, 0.31), (0, 0.22, 0), 0.31, sides=16, frame=frame)
            hub = y + side * 0.115
            rim.cylinder((x, hub, 0.31), (0, side * 0.01, 0), 0.19, sides=10, frame=frame)
            arch = side * (half * 0.96)
            dark.cylinder((x, arch, 0.33), (0, side * 0.02, 0), 0.37, sides=16, frame=frame)
    dark.box((0, 0, low), (0.9 * length, 1.7 * half, 0.16), frame)
    for side in (-1.0, 1.0):
        scene["headlight"].box(
            (front - 0.1, side * 0.7 * half, belt - 0.28), (0.22, 0.34, 0.14), frame
        )
        scene["taillight"].box(
            (rear + 0.06, side * 0.75 * half, belt - 0.18), (0.16, 0.26, 0.2), frame
        )
        mirror = (front - nose - 0.25, side * (half + 0.1), belt + 0.06)
        body.box(mirror, (0.1, 0.2, 0.13), frame)
        dark.box((0.05 * length, side * half, 0.5 * (low + belt) + 0.2), (0.14, 0.03, 0.04), frame)
    dark.box((front - 0.02, 0, low + 0.16), (0.08, 1.1 * half, 0.2), frame)
    for x in (front + 0.02, rear - 0.02):
        scene["plate"].box((x, 0, low + 0.25), (0.03, 0.5, 0.12), frame, fit_uv=True)


def add_tree(rng: Rng, scene: SceneBuilder, x: float, y: float) -> None:
    """A trunk with branches and a crown of leaves gathered in clumps."""
    height, spread = rng.uniform(4.5, 10), rng.uniform(1.3, 2.8)
    radius, stem = rng.uniform(0.1, 0.22), rng.uniform(1.9, 2.8)
    frame = upright_frame(x, y, rng.uniform(0, 2 * np.pi), KERB_HEIGHT - 0.05)
    bark = scene["bark"]
    lean = rng.normal(0, 0.12, 2)
    top = np.array([lean[0], lean[1], 0.75 * height])
    bark.cylinder((0, 0, 0), top, radius, 0.35 * radius, sides=9, frame=frame, capped=False)
    crown = np.array([0, 0, (height + stem) / 2])
    clumps = crown + rng.normal(0, 0.42, (14, 3)) * [spread, spread, 0.55 * (height - stem)]
    for clump in clumps[:7]:
        foot = top * rng.uniform(0.5, 0.95)
        bark.cylinder(foot, clump - foot, 0.3 * radius, 0.1 * radius, 5, frame=frame, capped=False)
    leaves = scene[f"leaves{int(rng.integers(0, FOLIAGES))}"]
    count = 320
    offsets = rng.standard_normal((len(clumps), count, 3))
    offsets *= rng.uniform(0.4, 1.0, (len(clumps), count, 1)) / np.linalg.norm(
        offsets, axis=-1, keepdims=True
    )
    points = (clumps[:, None] + offsets * [0.5 * spread, 0.5 * spread, 0.42 * spread]).reshape(
        -1, 3
    )
    points = points[points[:, 2] > 0.75 * stem]
    _scatter_leaves(rng, leaves, transform(frame, points), (0.07, 0.17))


def add_hedge(
    rng: Rng,
    scene: SceneBuilder,
    frame: np.ndarray,
    size: tuple[float, float, float],
) -> None:
    """A clipped hedge of the given length, depth and height with leaves standing off it."""
    mesh = scene[f"leaves{int(rng.integers(0, FOLIAGES))}"]
    mesh.box((0, 0, size[2] / 2), size, frame)
    count = int(160 * size[0] * size[2])
    points = rng.uniform(-0.5, 0.5, (count, 3)) * np.asarray(size) + [0, 0, size[2] / 2]
    face = rng.integers(0, 2, count) * 2 - 1
    points[:, 1] = 0.5 * face * size[1] + rng.normal(0, 0.05, count)
    _scatter_leaves(rng, mesh, transform(frame, points), (0.05, 0.14))


def _scatter_leaves(rng: Rng, mesh: Mesh, points: np.ndarray, size: tuple[float, float]) -> None:
    """A diamond-shaped leaf, turned at random, at each point (n, 3)."""
    n = len(points)
    first = rng.standard_normal((n, 3))
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(first, rng.standard_normal((n, 3)))
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    scale = rng.uniform(*size, (n, 1))
    corners = np.stack(
        [points - scale * first, points + 0.6 * scale * second, points + scale * first,
         points - 0.6 * scale * second], axis=1,
    )  # fmt: skip
    anchor = rng.uniform(0, 1, (n, 1, 2))
    uv = anchor + 0.15 * np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    index = 4 * np.arange(n)[:, None]
    faces = np.concatenate([index + [0, 1, 2], index + [0, 2, 3]])
    mesh.add(corners.reshape(-1, 3), uv.reshape(-1, 2), faces)


def _define_materials(rng: Rng, scene: SceneBuilder) -> None:
    for k in range(PAINTS):
        base = _car_colour(rng)
        scene.define(f"paint{k}", textures.metal(rng, base, 256, 256), (5.0, 5.0))
    for k in range(FOLIAGES):
        scene.define(f"leaves{k}", textures.foliage(rng), (1.0, 1.0))
    for k in range(SIGNS):
        scene.define(f"sign{k}", textures.poster(rng, 128, 128))
    flat = {
        "car_glass": (0.1, 0.12, 0.15), "tyre": (0.09, 0.09, 0.09), "rim": (0.6, 0.6, 0.62),
        "dark": (0.12, 0.12, 0.13), "headlight": (0.9, 0.9, 0.88), "taillight": (0.65, 0.08, 0.08),
        "pole": (0.35, 0.37, 0.38), "furniture": textures.colour(rng, value=(0.15, 0.5)),
    }  # fmt: skip
    for name, base in flat.items():
        scene.define(name, textures.metal(rng, base), (2.0, 2.0))
    scene.define("plate", textures.poster(rng, 48, 192))
    scene.define("bark", textures.bark(rng), (0.8, 1.6))
    scene.define("bench", textures.wood(rng, (0.5, 0.33, 0.2), 256, 256, 4), (1.0, 1.0))
    scene.define(
        "fence", textures.wood(rng, textures.colour(rng, (0.05, 0.12)), 512, 512, 16), (3, 3)
    )


def _car_colour(rng: Rng) -> textures.Colour:
    """Mostly grey, black and white; else red, blue, green or beige."""
    if rng.random() < 0.5:
        return textures.colour(rng, saturation=(0.0, 0.06), value=(0.06, 0.9))
    hue = float(rng.choice([0.0, 0.6, 0.38, 0.1])) + rng.normal(0, 0.02)
    return textures.colour(rng, (hue, hue), (0.35, 0.85), (0.15, 0.7))


def _park_cars(rng: Rng, street: Street, scene: SceneBuilder, side: float) -> None:
    """Cars at the kerb, thick in some stretches and absent in others."""
    in_strip = street.parking > 0
    aside = street.half_road + 1.1 if in_strip else street.half_road + 0.2
    density = rng.uniform(0.35, 0.85) if in_strip else rng.uniform(0.0, 0.3)
    along = rng.uniform(2, 12)
    while along < street.length - 12:
        if rng.random() < density:
            yaw = float(street.yaw(along)) + (0.0 if side < 0 else np.pi) + rng.normal(0, 0.025)
            x, y = street.at(along, side * (aside + rng.normal(0, 0.07)))
            height = 0.0 if in_strip else 0.06  # two wheels up on the kerb
            add_car(rng, scene, upright_frame(x, y, yaw, height))
            along += rng.uniform(5.8, 7.2)
        else:
            along += rng.uniform(4, 14)


def _line_pavement(rng: Rng, street: Street, scene: SceneBuilder, side: float) -> None:
    """Lamps at even distances, trees, and furniture in between."""
    kerb = street.half_road + street.parking + 0.5
    trees = rng.uniform(8, 22) if rng.random() < 0.75 else 1e9
    lamps = rng.uniform(22, 35)
    next_tree, next_lamp, along = rng.uniform(2, trees), rng.uniform(3, lamps), rng.uniform(2, 8)
    while along < street.length - 10:
        x, y = street.at(along, side * kerb)
        frame = upright_frame(
            x, y, float(street.yaw(along)) + (0 if side < 0 else np.pi), KERB_HEIGHT
        )
        if along >= next_lamp:
            _lamp(rng, scene, frame)
            next_lamp = along + lamps
        elif along >= next_tree:
            add_tree(rng, scene, float(x), float(y))
            next_tree = along + trees * rng.uniform(0.8, 1.2)
        else:
            _furniture(rng, scene, frame)
        along += rng.uniform(2.5, 6.5)


def _lamp(rng: Rng, scene: SceneBuilder, frame: np.ndarray) -> None:
    height = rng.uniform(4.5, 7.5)
    pole = scene["pole"]
    pole.cylinder((0, 0, 0), (0, 0, 0.9), 0.11, sides=10, frame=frame)
    pole.cylinder((0, 0, 0.9), (0, 0, height - 0.9), 0.07, 0.045, sides=10, frame=frame)
    pole.cylinder((0, 0, height), (0, 1.5, 0.25), 0.04, sides=8, frame=frame)
    scene["headlight"].box((0, 1.5, height + 0.2), (0.25, 0.6, 0.12), frame)
    if rng.random() < 0.3:
        scene[f"sign{int(rng.integers(0, SIGNS))}"].box(
            (0, 0.45, 2.9), (0.05, 0.7, 1.1), frame, fit_uv=True
        )


def _furniture(rng: Rng, scene: SceneBuilder, frame: np.ndarray) -> None:
    """A sign, bollards, a bin, a bench, a switch box, or nothing."""
    kind = rng.random()
    dark, pole = scene["furniture"], scene["pole"]
    if kind < 0.2:
        pole.cylinder((0, 0, 0), (0, 0, 2.6), 0.035, sides=8, frame=frame)
        sign = scene[f"sign{int(rng.integers(0, SIGNS))}"]
        sign.box((-0.06, 0, 2.3), (0.04, 0.6, 0.6), frame, fit_uv=True)
    elif kind < 0.4:
        for k in range(int(rng.integers(1, 4))):
            dark.cylinder((1.2 * k, 0, 0), (0, 0, 0.95), 0.07, sides=10, frame=frame)
    elif kind < 0.5:
        dark.cylinder((0, -0.3, 0), (0, 0, 0.9), 0.24, 0.28, sides=12, frame=frame)
    elif kind < 0.58:
        for z, y in ((0.45, -0.3), (0.45, -0.5), (0.75, -0.62)):
            scene["bench"].box((0, y, z), (1.7, 0.14, 0.05), frame)
        for x in (-0.7, 0.7):
            dark.box((x, -0.4, 0.22), (0.07, 0.45, 0.45), frame)
    elif kind < 0.68:
        dark.box((0, -0.4, 0.6), (0.8, 0.4, 1.2), frame)
    elif kind < 0.73:
        scene[f"sign{int(rng.integers(0, SIGNS))}"].cylinder(
            (0, -0.4, 0), (0, 0, 2.6), 0.6, sides=18, frame=frame
        )


def _fill_gap(
    rng: Rng, street: Street, scene: SceneBuilder, side: float, start: float, end: float
) -> None:
    """A fence, a hedge or a garden with a tree where no house stands."""
    middle, width = (start + end) / 2, end - start - 0.6
    aside = side * (street.building_line + 0.25)
    x, y = street.at(middle, aside)
    frame = upright_frame(x, y, float(street.yaw(middle)), KERB_HEIGHT - 0.05)
    kind = rng.random()
    if kind < 0.35:
        height = rng.uniform(0.9, 2.1)
        scene["fence"].box((0, 0, height / 2), (width, 0.06, height), frame)
    elif kind < 0.75:
        add_hedge(rng, scene, frame, (width, rng.uniform(0.5, 1.0), rng.uniform(0.8, 2.0)))
    if rng.random() < 0.7:
        x, y = street.at(middle, aside + side * rng.uniform(2.5, 5))
        if street.clearance(np.array([[x, y]])) > street.building_line:
            add_tree(rng, scene, float(x), float(y))


def _pillars(body: Mesh, cabin: np.ndarray, widths: np.ndarray, frame: np.ndarray) -> None:
    """Roof pillars in the car's colour over the dark cabin."""
    edges = [(0, 3, 0.0), (1, 2, 0.0), (0, 3, 0.42), (0, 3, 0.75)]
    for low, high, shift in edges:
        for side in (-1.0, 1.0):
            offset = shift * (cabin[1, 0] - cabin[0, 0])
            foot = np.array([cabin[low, 0] + offset, side * widths[low], cabin[low, 1]])
            head = np.array([cabin[high, 0] + 0.8 * offset, side * widths[high], cabin[high, 1]])
            body.cylinder(foot, head - foot, 0.045, sides=6, frame=frame, capped=False)
