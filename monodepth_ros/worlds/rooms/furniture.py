"""A piece of furniture: origin on the floor under its middle, front towards +y, back at -y."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monodepth_ros.worlds.assembly import Assembly, pose
from monodepth_ros.worlds.rooms import clutter


@dataclass
class Furniture:
    """A piece, the floor it takes (width x depth, metres) and the height that eyes rest on."""

    part: Assembly
    width: float
    depth: float
    gaze_height: float
    placed: bool = False


Maker = Callable[[np.random.Generator], Furniture]


def any_wood(rng: np.random.Generator) -> str:
    """One of the two woods of a flat."""
    return str(rng.choice(["wood_light", "wood_dark"]))


def any_cloth(rng: np.random.Generator) -> str:
    """One of its two upholstery fabrics."""
    return str(rng.choice(["fabric_a", "fabric_b"]))


def any_front(rng: np.random.Generator) -> str:
    """What the doors and drawers of a piece are faced with."""
    return str(
        rng.choice(["paint_a", "paint_b", "wood_light", "wood_dark"], p=[0.4, 0.3, 0.15, 0.15])
    )


def cartons(rng: np.random.Generator) -> Furniture:
    """Cardboard boxes, piled."""
    part, z = Assembly(rng), 0.0
    for _ in range(int(rng.integers(1, 4))):
        width, depth, height = rng.uniform(0.3, 0.55), rng.uniform(0.3, 0.45), rng.uniform(0.2, 0.4)
        box = Assembly(rng)
        box.box("cardboard", (0, 0, height / 2), (width, depth, height))
        box.card("page", (0.05, depth / 2 + 0.002, height * 0.6), 0.12, 0.09)
        part.place(
            box,
            pose(rng.uniform(-0.04, 0.04), rng.uniform(-0.04, 0.04), z, rng.uniform(-0.35, 0.35)),
        )
        z += height
    if z < 0.9:
        clutter.scatter(part, clutter.OFFICE, 0.3, 0.3, z, 1)
    return Furniture(part, 0.6, 0.55, min(z, 0.8))


def plant(rng: np.random.Generator) -> Furniture:
    """A big plant in a tub."""
    part, r, height = Assembly(rng), rng.uniform(0.15, 0.24), rng.uniform(0.3, 0.45)
    part.turned(
        "paint_b",
        (0, 0, 0),
        [(0, 0), (0.75 * r, 0), (r, height), (0.9 * r, height), (0, height - 0.04)],
        18,
    )
    stem = rng.uniform(0.2, 0.7)
    part.cylinder("wood_dark", (0, 0, height - 0.05), 0.02, stem)
    for rise in np.linspace(0.1, stem, 3):
        clutter.foliage(part, (0.0, 0.0, height + rise - 0.05), 14, rng.uniform(0.35, 0.6), 0.09)
    return Furniture(part, 2 * r + 0.2, 2 * r + 0.2, 0.8)


def floor_lamp(rng: np.random.Generator) -> Furniture:
    """A standing lamp (unlit) beside a small stool with things."""
    part, height = Assembly(rng), rng.uniform(1.4, 1.7)
    part.turned("metal", (0, 0, 0), [(0.14, 0), (0.13, 0.02), (0.015, 0.035), (0.012, height)], 14)
    part.turned("fabric_a", (0, 0, 0), [(0.22, height - 0.1), (0.14, height + 0.18)], 18)
    return Furniture(part, 0.4, 0.4, 1.2)


def bin_(rng: np.random.Generator) -> Furniture:
    """A waste-paper basket."""
    part = Assembly(rng)
    r, height = rng.uniform(0.12, 0.18), rng.uniform(0.28, 0.5)
    part.turned(
        str(rng.choice(["plastic", "metal"])),
        (0, 0, 0),
        [(0, 0), (0.8 * r, 0), (r, height), (0.85 * r, 0.1), (0, 0.1)],
        16,
    )
    return Furniture(part, 0.4, 0.4, 0.3)
