"""Chairs, sofas and beds."""

from __future__ import annotations

import numpy as np

from monodepth_ros.worlds.assembly import PRINTS, Assembly, pose, tilt
from monodepth_ros.worlds.rooms import clutter
from monodepth_ros.worlds.rooms.furniture import Furniture, any_cloth, any_wood


def chair(rng: np.random.Generator) -> Assembly:
    """A kitchen chair (slats, bars or a padded back) or an office chair."""
    if rng.random() < 0.25:
        return office_chair(rng)
    part, material = (
        Assembly(rng),
        str(rng.choice(["wood_light", "wood_dark", "wood_dark", "plastic", "metal"])),
    )
    seat, width, top = rng.uniform(0.43, 0.48), rng.uniform(0.4, 0.48), rng.uniform(0.82, 1.0)
    post = rng.uniform(0.03, 0.045)
    side = width / 2 - post / 2
    for x in (-side, side):
        part.box(material, (x, side, seat / 2), (post, post, seat))
        part.box(material, (x, -side, top / 2), (post, post, top))
        part.box(material, (x, 0, 0.18), (0.02, width - post, 0.025))
    if rng.random() < 0.5:
        part.cushion(any_cloth(rng), (0, 0, seat + 0.02), (width, width, 0.07), squareness=0.2)
    part.box(material, (0, 0, seat - 0.015), (width, width, 0.03))
    style = int(rng.integers(3))
    if style == 0:
        count = int(rng.integers(2, 6))
        for z in np.linspace(seat + 0.15, top - 0.04, count):
            part.box(material, (0, -side, z), (width - post, 0.02, 0.045))
    elif style == 1:
        part.box(material, (0, -side, top - 0.03), (width - post, 0.025, 0.06))
        part.box(material, (0, -side, seat + 0.12), (width - post, 0.02, 0.03))
        for x in np.linspace(-side, side, int(rng.integers(4, 8)))[1:-1]:
            part.box(
                material, (x, -side, (top + seat) / 2 + 0.04), (0.018, 0.018, top - seat - 0.16)
            )
    else:
        part.cushion(
            any_cloth(rng),
            (0, -side, (top + seat) / 2 + 0.06),
            (width - post, 0.06, top - seat - 0.14),
            0,
            0.2,
        )
    return part


def office_chair(rng: np.random.Generator) -> Assembly:
    """A swivel chair on a star of five feet."""
    part, cloth, seat = Assembly(rng), any_cloth(rng), rng.uniform(0.44, 0.52)
    for angle in np.arange(5) * 2 * np.pi / 5 + rng.uniform(0, 1):
        x, y = 0.15 * np.cos(angle), 0.15 * np.sin(angle)
        part.box("plastic", (x, y, 0.08), (0.3, 0.045, 0.035), yaw=angle)
        part.cushion("plastic", (1.9 * x, 1.9 * y, 0.03), (0.06, 0.06, 0.06), squareness=0.8)
    part.cylinder("metal", (0, 0, 0.08), 0.025, seat - 0.1)
    part.cushion(cloth, (0, 0, seat), (0.5, 0.48, 0.1), squareness=0.3)
    part.box("plastic", (0, -0.25, seat + 0.15), (0.06, 0.03, 0.4))
    part.cushion(cloth, (0, -0.23, seat + 0.35), (0.46, 0.09, 0.5), squareness=0.3)
    for x in (-0.26, 0.26):
        part.box("plastic", (x, 0, seat + 0.2), (0.05, 0.25, 0.03))
        part.box("plastic", (x, 0, seat + 0.1), (0.03, 0.04, 0.2))
    return part


def sofa(rng: np.random.Generator) -> Furniture:
    """A sofa or armchair with cushions and a throw."""
    width, depth = float(rng.choice([0.9, 1.6, 2.1])), rng.uniform(0.8, 0.95)
    part, cloth, seat = Assembly(rng), any_cloth(rng), rng.uniform(0.4, 0.46)
    arm, back = rng.uniform(0.12, 0.22), rng.uniform(0.75, 0.95)
    part.cushion(cloth, (0, 0, 0.2), (width, depth, 0.34), squareness=0.12)
    part.cushion(
        cloth, (0, -depth / 2 + 0.12, back / 2 + 0.05), (width, 0.24, back - 0.05), squareness=0.2
    )
    for side in (-1, 1):
        part.cushion(
            cloth, (side * (width - arm) / 2, 0.02, 0.33), (arm, depth - 0.05, 0.6), squareness=0.2
        )
    seats = max(1, round((width - 2 * arm) / 0.7))
    pitch = (width - 2 * arm) / seats
    for number in range(seats):
        x = -width / 2 + arm + (number + 0.5) * pitch
        part.cushion(cloth, (x, 0.08, seat - 0.03), (pitch, depth - 0.22, 0.18), squareness=0.25)
        part.cushion(
            cloth, (x, -depth / 2 + 0.28, seat + 0.24), (pitch, 0.18, 0.42), squareness=0.3
        )
        if rng.random() < 0.8:
            pillow = Assembly(rng)
            pillow.cushion(PRINTS, (0, 0, 0.2), (0.42, 0.16, 0.4), 0, 0.5, pillow.cell("cloth"))
            at = pose(x + rng.uniform(-0.12, 0.12), -0.08, seat + 0.04, rng.uniform(-0.4, 0.4))
            part.place(pillow, at @ tilt(rng.uniform(0.2, 0.5)))
    if rng.random() < 0.5:
        clutter.scatter(part, (clutter.papers, clutter.book_stack), 0.4, 0.3, seat + 0.07, 1)
    for end in (-1, 1):
        for y in (-1, 1):
            part.cylinder(
                "wood_dark", (end * (width / 2 - 0.1), y * (depth / 2 - 0.1), 0), 0.025, 0.06
            )
    return Furniture(part, width, depth, 0.5)


def bed(rng: np.random.Generator) -> Furniture:
    """A bed with pillows and a blanket; its head is at the back."""
    width, length = float(rng.choice([0.95, 1.45, 1.7])), 2.05
    part, material = Assembly(rng), any_wood(rng)
    part.box(material, (0, 0, 0.2), (width, length, 0.14))
    part.box(material, (0, -length / 2, 0.5), (width + 0.05, 0.05, 1.0))
    for x in (-1, 1):
        part.box(material, (x * (width / 2 - 0.05), length / 2 - 0.06, 0.1), (0.07, 0.07, 0.2))
    part.cushion("ceramic", (0, 0, 0.36), (width, length - 0.05, 0.24), squareness=0.15)
    part.cushion(
        any_cloth(rng), (0, 0.25, 0.42), (width + 0.12, length - 0.6, 0.24), squareness=0.25
    )
    pillows = 1 if width < 1.2 else 2
    for number in range(pillows):
        middle = (number - (pillows - 1) / 2) * 0.72
        cell = part.cell("cloth")
        part.cushion(
            PRINTS,
            (middle, -length / 2 + 0.32, 0.54),
            (0.66, 0.42, 0.17),
            rng.uniform(-0.15, 0.15),
            0.45,
            cell,
        )
    clutter.scatter(part, (clutter.papers, clutter.book_stack), width * 0.7, 0.8, 0.54, 2)
    return Furniture(part, width + 0.1, length, 0.5)
