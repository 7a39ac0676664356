"""Kitchen furniture: a run of units with worktop, splashback and wall units, and a fridge."""

from __future__ import annotations

import numpy as np

from monodepth_ros.worlds.assembly import PRINTS, Assembly, pose
from monodepth_ros.worlds.rooms import clutter
from monodepth_ros.worlds.rooms.furniture import Furniture
from monodepth_ros.worlds.rooms.storage import door, fill_shelf

WORKTOP = 0.9
DEPTH = 0.62


def kitchen_run(rng: np.random.Generator) -> Furniture:
    """Base and wall units along a wall, full of things to cook with."""
    run = low_kitchen_run(rng, int(rng.integers(3, 6)))
    _wall_units(run.part, run.width, str(rng.choice(["paint_a", "paint_b", "wood_light"])))
    return run


def low_kitchen_run(rng: np.random.Generator, modules: int = 3) -> Furniture:
    """Base units that fit under a window."""
    width = 0.6 * modules
    part = Assembly(rng)
    front, handle = (
        str(rng.choice(["paint_a", "paint_b", "wood_light"])),
        str(rng.choice(["bar", "bar", "knob"])),
    )
    part.box("plastic", (0, -0.04, 0.05), (width, DEPTH - 0.1, 0.1))
    part.box("wood_light", (0, -0.02, 0.48), (width, DEPTH - 0.06, 0.76))
    part.box("stone", (0, 0.01, WORKTOP - 0.02), (width + 0.02, DEPTH + 0.02, 0.04))
    for number in range(modules):
        x = -width / 2 + 0.3 + 0.6 * number
        rows = int(rng.choice([1, 1, 2, 3]))
        pitch = 0.74 / rows
        for row in range(rows):
            door(
                part,
                front,
                x,
                0.11 + (row + 0.5) * pitch,
                0.588,
                pitch - 0.012,
                DEPTH / 2 - 0.04,
                handle,
            )
    _sink(part, rng.uniform(-0.3, 0.3) * width)
    _things(part, width)
    return Furniture(part, width, DEPTH, WORKTOP)


def _upright(width: float, low: float, high: float, y: float) -> list[list[float]]:
    """Corners of an upright sheet that faces +y."""
    return [[width / 2, y, low], [-width / 2, y, low], [-width / 2, y, high], [width / 2, y, high]]


def _sink(part: Assembly, x: float) -> None:
    part.box("metal", (x, 0.02, WORKTOP + 0.003), (0.5, 0.4, 0.008))
    part.box("plastic", (x, 0.02, WORKTOP + 0.008), (0.4, 0.3, 0.004))
    part.cylinder("metal", (x, -0.2, WORKTOP), 0.018, 0.26)
    part.box("metal", (x, -0.12, WORKTOP + 0.25), (0.022, 0.18, 0.022))


def _wall_units(part: Assembly, width: float, front: str) -> None:
    """A tiled splashback with cupboards, or open shelves, above it."""
    rng, y = part.rng, -DEPTH / 2 + 0.16
    part.quad("splashback", _upright(width, WORKTOP, 1.45, -DEPTH / 2 + 0.004))
    for x in np.arange(-width / 2 + 0.15, width / 2 - 0.1, 0.28):
        if rng.random() < 0.5:  # notes and tea towels
            size = rng.uniform(0.12, 0.24)
            kind = str(rng.choice(["page", "cover", "cloth", "picture"]))
            part.card(
                kind, (float(x), -DEPTH / 2 + 0.008, rng.uniform(1.1, 1.3)), 0.75 * size, size
            )
    if rng.random() < 0.6:
        part.box("wood_light", (0, y, 1.8), (width, 0.3, 0.7))
        for x in np.arange(-width / 2 + 0.3, width / 2, 0.6):
            door(part, front, float(x), 1.8, 0.588, 0.688, y + 0.15, "bar")
        return
    for z in (1.45, 1.8):
        part.box("wood_dark", (0, y, z), (width, 0.26, 0.025))
        fill_shelf(part, 0.9 * width, 0.24, z + 0.013, 0.3)


def _things(part: Assembly, width: float) -> None:
    """Appliances and clutter along the worktop."""
    rng = part.rng
    surface = Assembly(rng)
    clutter.scatter(surface, clutter.KITCHEN, width - 0.1, 0.42, WORKTOP, int(4 * width))
    part.place(surface, pose(y=-0.06))
    back = Assembly(rng)
    clutter.scatter(
        back,
        (clutter.standing_book, clutter.packet, clutter.bottle),
        width - 0.1,
        0.14,
        WORKTOP,
        int(3 * width),
    )
    part.place(back, pose(y=-DEPTH / 2 + 0.1))
    if rng.random() < 0.6:
        part.place(_oven(rng), pose(rng.choice([-1, 1]) * (width / 2 - 0.35), -0.05, WORKTOP))


def _oven(rng: np.random.Generator) -> Assembly:
    """A microwave oven."""
    part = Assembly(rng)
    part.box("metal", (0, 0, 0.15), (0.5, 0.36, 0.3))
    part.box("plastic", (-0.06, 0.18, 0.15), (0.34, 0.014, 0.24))
    part.card("page", (0.18, 0.182, 0.15), 0.08, 0.2)
    return part


def fridge(rng: np.random.Generator) -> Furniture:
    """A fridge with magnets and notes."""
    part, height = Assembly(rng), rng.uniform(1.5, 1.95)
    material = str(rng.choice(["metal", "metal", "paint_b"]))
    part.box(material, (0, -0.02, height / 2), (0.6, 0.6, height))
    for low, high in ((0.05, 0.62), (0.64, height - 0.02)):
        door(part, material, 0.0, (low + high) / 2, 0.59, high - low, 0.28, "upright")
    for _ in range(int(rng.integers(2, 9))):
        size = rng.uniform(0.06, 0.22)
        x, z = rng.uniform(-0.18, 0.12), rng.uniform(0.8, height - 0.2)
        part.card(
            str(rng.choice(["page", "picture", "cover"])),
            (x, 0.294 + rng.uniform(0, 0.002), z),
            0.8 * size,
            size,
        )
    top = part.cell("packet")
    part.box(PRINTS, (0.05, 0, height + 0.1), (0.35, 0.25, 0.2), top)
    return Furniture(part, 0.62, 0.66, 1.1)
