"""Tables and desks with their chairs and what lies on them."""

from __future__ import annotations

import numpy as np

from monodepth_ros.worlds.assembly import Assembly, pose
from monodepth_ros.worlds.rooms import clutter
from monodepth_ros.worlds.rooms.furniture import Furniture, any_wood
from monodepth_ros.worlds.rooms.seating import chair
from monodepth_ros.worlds.rooms.storage import drawers


def table(
    rng: np.random.Generator,
    width: float,
    depth: float,
    height: float,
    makers: tuple[clutter.Maker, ...],
    things: int,
) -> Assembly:
    """A board on four legs or on a trestle, with things on it."""
    part, material = Assembly(rng), any_wood(rng)
    thickness = rng.uniform(0.025, 0.06)
    part.box(material, (0, 0, height - thickness / 2), (width, depth, thickness))
    leg_material = material if rng.random() < 0.6 else str(rng.choice(["metal", "plastic"]))
    leg, inset = rng.uniform(0.03, 0.09), rng.uniform(0.03, 0.1)
    for x in (-1, 1):
        for y in (-1, 1):
            foot = (x * (width / 2 - inset - leg / 2), y * (depth / 2 - inset - leg / 2))
            part.box(
                leg_material, (*foot, (height - thickness) / 2), (leg, leg, height - thickness)
            )
    if rng.random() < 0.6:
        apron, z = 0.08, height - thickness - 0.04
        for y in (-1, 1):
            part.box(material, (0, y * (depth / 2 - inset), z), (width - 2 * inset, 0.02, apron))
        for x in (-1, 1):
            part.box(material, (x * (width / 2 - inset), 0, z), (0.02, depth - 2 * inset, apron))
    clutter.scatter(part, makers, width, depth, height, things, facing=3.1)
    return part


def round_table(rng: np.random.Generator) -> Furniture:
    """A round table on a column, with two to four chairs."""
    part, radius, height = Assembly(rng), rng.uniform(0.4, 0.6), rng.uniform(0.68, 0.76)
    material = any_wood(rng)
    part.turned(material, (0, 0, 0), [(radius, height - 0.035), (radius, height)], 28)
    part.disc(material, (0, 0, height), radius, 28)
    part.disc(material, (0, 0, height - 0.034), radius, 28)
    part.turned(
        "metal", (0, 0, 0), [(0.28, 0), (0.27, 0.02), (0.04, 0.05), (0.035, height - 0.035)], 16
    )
    clutter.scatter(part, clutter.LIVING, 1.3 * radius, 1.3 * radius, height, 3, facing=3.1)
    chairs, first = int(rng.integers(2, 5)), rng.uniform(0, 6.28)
    for number in range(chairs):
        angle = first + number * 2 * np.pi / chairs + rng.uniform(-0.2, 0.2)
        away = radius + rng.uniform(0.0, 0.15)
        turn = angle + np.pi / 2 + rng.uniform(-0.3, 0.3)
        part.place(chair(rng), pose(away * np.cos(angle), away * np.sin(angle), 0, turn))
    return Furniture(part, 2 * radius + 0.8, 2 * radius + 0.8, height)


def dining_table(rng: np.random.Generator) -> Furniture:
    """A table with chairs on its long sides and perhaps its ends."""
    width, depth, height = rng.uniform(1.2, 2.2), rng.uniform(0.75, 1.0), rng.uniform(0.7, 0.77)
    part = table(
        rng, width, depth, height, clutter.KITCHEN + clutter.OFFICE, int(rng.integers(4, 10))
    )
    for side in (-1, 1):
        seats = int(width / 0.65)
        for x in (np.arange(seats) - (seats - 1) / 2) * 0.65:
            if rng.random() < 0.85:
                y = side * (depth / 2 + rng.uniform(-0.05, 0.2))
                turn = (np.pi if side > 0 else 0.0) + rng.uniform(-0.25, 0.25)
                part.place(chair(rng), pose(x + rng.uniform(-0.06, 0.06), y, 0, turn))
    return Furniture(part, width + 0.1, depth + 0.75, height)


def coffee_table(rng: np.random.Generator) -> Furniture:
    """A low table on a rug."""
    width, depth, height = rng.uniform(0.8, 1.2), rng.uniform(0.5, 0.7), rng.uniform(0.35, 0.48)
    part = table(rng, width, depth, height, clutter.LIVING, int(rng.integers(2, 6)))
    part.box("rug", (0, 0, 0.006), (width + 0.9, depth + 0.9, 0.012))
    return Furniture(part, width, depth, height)


def desk(rng: np.random.Generator) -> Furniture:
    """A desk with screens, papers, drawers and its chair."""
    width, depth, height = rng.uniform(1.2, 1.8), rng.uniform(0.65, 0.8), rng.uniform(0.7, 0.76)
    part = table(rng, width, depth, height, clutter.OFFICE, 0)
    for x in (-0.33, 0.33) if width > 1.5 else (0.0,):
        part.place(clutter.monitor(rng), pose(x, -0.2, height, -x * 0.6 + rng.uniform(-0.15, 0.15)))
    part.place(
        clutter.keyboard(rng), pose(rng.uniform(-0.1, 0.1), 0.12, height, rng.uniform(-0.1, 0.1))
    )
    for x in (-1, 1):
        surface = Assembly(rng)
        clutter.scatter(surface, clutter.OFFICE, 0.4, depth, height, 3)
        part.place(surface, pose(x * (width / 2 - 0.2)))
    part.place(drawers(rng, 0.4, 0.55, height - 0.1, 3), pose(width / 2 - 0.28, 0.0))
    part.place(
        chair(rng),
        pose(
            rng.uniform(-0.2, 0.1),
            depth / 2 + rng.uniform(0, 0.2),
            0,
            np.pi + rng.uniform(-0.6, 0.6),
        ),
    )
    moved = Assembly(rng)
    moved.place(part, pose(y=-0.25))
    return Furniture(moved, width, depth + 0.5, height)
