"""Cupboards, drawers, sideboards and shelves, filled."""

from __future__ import annotations

import numpy as np

from monodepth_ros.worlds.assembly import Assembly, pose
from monodepth_ros.worlds.rooms import clutter
from monodepth_ros.worlds.rooms.furniture import Furniture, any_front, any_wood


def drawers(
    rng: np.random.Generator, width: float, depth: float, height: float, rows: int
) -> Assembly:
    """A chest: carcass, drawer fronts with gaps, handles."""
    part, carcass, front = Assembly(rng), any_front(rng), any_front(rng)
    part.box(carcass, (0, -0.01, height / 2), (width, depth - 0.02, height))
    pitch = (height - 0.06) / rows
    for row in range(rows):
        door(
            part,
            front,
            0.0,
            0.06 + (row + 0.5) * pitch,
            width - 0.02,
            pitch - 0.012,
            depth / 2,
            "bar",
        )
    return part


def door(
    part: Assembly,
    material: str,
    x: float,
    z: float,
    width: float,
    height: float,
    y: float,
    handle: str,
) -> None:
    """A door or drawer front standing out from the carcass at y, with its handle."""
    part.box(material, (x, y, z), (width, 0.022, height))
    if handle == "bar":
        length = min(0.22, 0.6 * width)
        part.box("metal", (x, y + 0.035, z + 0.3 * height), (length, 0.012, 0.014))
        for end in (-1, 1):
            part.box(
                "metal", (x + end * 0.45 * length, y + 0.02, z + 0.3 * height), (0.01, 0.03, 0.01)
            )
    elif handle == "upright":
        part.box("metal", (x + 0.4 * width, y + 0.035, z), (0.014, 0.012, min(0.25, 0.5 * height)))
    else:
        part.cushion(
            "metal",
            (x + 0.38 * width, y + 0.025, z + 0.2 * height),
            (0.035, 0.03, 0.035),
            squareness=1.0,
        )


def cabinet(rng: np.random.Generator) -> Furniture:
    """A tall cupboard or wardrobe with cartons on top."""
    width, depth, height = rng.uniform(0.8, 1.6), rng.uniform(0.4, 0.6), rng.uniform(1.3, 2.1)
    part, material, front = Assembly(rng), any_wood(rng), any_front(rng)
    part.box(material, (0, -0.01, height / 2), (width, depth - 0.02, height))
    doors, handle = max(2, round(width / 0.5)), str(rng.choice(["upright", "knob"]))
    pitch = width / doors
    split = rng.random() < 0.4
    for number in range(doors):
        x = -width / 2 + (number + 0.5) * pitch
        for low, high in (
            ((0.08, 0.8), (0.82, height - 0.03)) if split else ((0.08, height - 0.03),)
        ):
            door(part, front, x, (low + high) / 2, pitch - 0.012, high - low, depth / 2, handle)
            if rng.random() < 0.25:
                part.card(
                    str(rng.choice(["page", "picture"])),
                    (x, depth / 2 + 0.013, rng.uniform(low, high)),
                    0.2,
                    0.27,
                )
    clutter.scatter(
        part, (clutter.packet, clutter.basket, clutter.pot_plant), width, depth, height, 3
    )
    return Furniture(part, width, depth, 0.6 * height)


def sideboard(rng: np.random.Generator) -> Furniture:
    """A low cupboard with a screen, books and vases on it."""
    width, depth, height = rng.uniform(1.0, 2.0), rng.uniform(0.38, 0.5), rng.uniform(0.55, 0.95)
    part, front, material = Assembly(rng), any_front(rng), any_wood(rng)
    part.box(material, (0, -0.01, height / 2), (width, depth - 0.02, height))
    part.box(material, (0, 0, height + 0.01), (width + 0.03, depth + 0.02, 0.025))
    if rng.random() < 0.3:  # roller shutter
        for x in np.arange(-width / 2 + 0.02, width / 2, 0.035):
            part.box(front, (x, depth / 2, height / 2), (0.026, 0.014, height - 0.08))
    else:
        columns = max(2, round(width / 0.5))
        rows = int(rng.integers(1, 4))
        for column in range(columns):
            for row in range(rows):
                pitch = (height - 0.08) / rows
                x = -width / 2 + (column + 0.5) * width / columns
                door(
                    part,
                    front,
                    x,
                    0.06 + (row + 0.5) * pitch,
                    width / columns - 0.012,
                    pitch - 0.012,
                    depth / 2,
                    "bar",
                )
    if rng.random() < 0.4:
        screen = clutter.monitor(rng)
        part.place(screen, pose(z=height + 0.022) @ np.diag([1.6, 1.0, 1.4, 1.0]))
    clutter.scatter(part, clutter.LIVING, width, depth, height + 0.022, int(rng.integers(3, 7)))
    return Furniture(part, width, depth, height)


def bookshelf(rng: np.random.Generator) -> Furniture:
    """Boards full of books and things."""
    width, depth, height = rng.uniform(0.7, 1.5), rng.uniform(0.26, 0.36), rng.uniform(1.2, 2.2)
    part, material = Assembly(rng), any_front(rng)
    for x in (-1, 1):
        part.box(material, (x * (width / 2 - 0.012), 0, height / 2), (0.024, depth, height))
    part.box(material, (0, -depth / 2 + 0.006, height / 2), (width, 0.012, height))
    shelves = int(height / rng.uniform(0.3, 0.42))
    pitch = (height - 0.08) / shelves
    for level in range(shelves + 1):
        z = 0.06 + level * pitch
        part.box(material, (0, 0, z), (width - 0.03, depth, 0.022))
        if level < shelves:
            fill_shelf(part, width - 0.06, depth, z + 0.012, pitch - 0.04)
    clutter.scatter(
        part, (clutter.packet, clutter.pot_plant, clutter.basket), width, depth, height, 3
    )
    return Furniture(part, width, depth, 0.6 * height)


def fill_shelf(part: Assembly, width: float, depth: float, z: float, room: float) -> None:
    """Books, or things no taller than `room`, on a board whose middle is (0, 0, z)."""
    rng = part.rng
    if rng.random() < 0.65:
        length = width * rng.uniform(0.5, 1.0)
        part.place(clutter.book_row(rng, length, room, depth), pose(-width / 2, 0, z))
        left = width - length
        if left > 0.2:
            rest = Assembly(rng)
            clutter.scatter(rest, clutter.SHELF, left, depth, 0.0, 2)
            part.place(
                rest, pose(width / 2 - left / 2, 0, z) @ np.diag([1, 1, min(1.0, room / 0.35), 1])
            )
    else:
        rest = Assembly(rng)
        clutter.scatter(rest, clutter.SHELF, width, depth, 0.0, int(rng.integers(3, 7)))
        part.place(rest, pose(z=z) @ np.diag([1, 1, min(1.0, room / 0.35), 1]))
