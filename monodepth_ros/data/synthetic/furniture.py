"""Furniture of many parts: origin on the floor under its middle, front towards +y, back at -y."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monodepth_ros.data.synthetic import clutter
from monodepth_ros.data.synthetic.assembly import PRINTS, Assembly, pose, tilt


@dataclass
class Furniture:
    """A piece, the floor it takes (width x depth, metres) and the height at which it is looked at."""

    part: Assembly
    width: float
    depth: float
    gaze_height: float
    placed: bool = False


Maker = Callable[[np.random.Generator], Furniture]


def _wood(rng: np.random.Generator) -> str:
    return str(rng.choice(["wood_light", "wood_dark"]))


def _cloth(rng: np.random.Generator) -> str:
    return str(rng.choice(["fabric_a", "fabric_b"]))


def _front(rng: np.random.Generator) -> str:
    return str(rng.choice(["paint_a", "paint_b", "wood_light", "wood_dark"], p=[0.4, 0.3, 0.15, 0.15]))


def table(
    rng: np.random.Generator, width: float, depth: float, height: float,
    makers: tuple[clutter.Maker, ...], things: int,
) -> Assembly:
    """A board on four legs or on a trestle, with things on it."""
    part, material = Assembly(rng), _wood(rng)
    thickness = rng.uniform(0.025, 0.06)
    part.box(material, (0, 0, height - thickness / 2), (width, depth, thickness))
    leg_material = material if rng.random() < 0.6 else str(rng.choice(["metal", "plastic"]))
    leg, inset = rng.uniform(0.03, 0.09), rng.uniform(0.03, 0.1)
    for x in (-1, 1):
        for y in (-1, 1):
            foot = (x * (width / 2 - inset - leg / 2), y * (depth / 2 - inset - leg / 2))
            part.box(leg_material, (*foot, (height - thickness) / 2), (leg, leg, height - thickness))
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
    material = _wood(rng)
    part.turned(material, (0, 0, 0), [(radius, height - 0.035), (radius, height)], 28)
    part.disc(material, (0, 0, height), radius, 28)
    part.disc(material, (0, 0, height - 0.034), radius, 28)
    part.turned("metal", (0, 0, 0), [(0.28, 0), (0.27, 0.02), (0.04, 0.05), (0.035, height - 0.035)], 16)
    clutter.scatter(part, clutter.LIVING, 1.3 * radius, 1.3 * radius, height, 3, facing=3.1)
    chairs, first = int(rng.integers(2, 5)), rng.uniform(0, 6.28)
    for number in range(chairs):
        angle = first + number * 2 * np.pi / chairs + rng.uniform(-0.2, 0.2)
        away = radius + rng.uniform(0.0, 0.15)
        turn = angle + np.pi / 2 + rng.uniform(-0.3, 0.3)
        part.place(chair(rng), pose(away * np.cos(angle), away * np.sin(angle), 0, turn))
    return Furniture(part, 2 * radius + 0.8, 2 * radius + 0.8, height)


def chair(rng: np.random.Generator) -> Assembly:
    """A kitchen chair (slats, bars or a padded back) or an office chair."""
    if rng.random() < 0.25:
        return office_chair(rng)
    part, material = Assembly(rng), str(rng.choice(["wood_light", "wood_dark", "wood_dark", "plastic", "metal"]))
    seat, width, top = rng.uniform(0.43, 0.48), rng.uniform(0.4, 0.48), rng.uniform(0.82, 1.0)
    post = rng.uniform(0.03, 0.045)
    side = width / 2 - post / 2
    for x in (-side, side):
        part.box(material, (x, side, seat / 2), (post, post, seat))
        part.box(material, (x, -side, top / 2), (post, post, top))
        part.box(material, (x, 0, 0.18), (0.02, width - post, 0.025))
    if rng.random() < 0.5:
        part.cushion(_cloth(rng), (0, 0, seat + 0.02), (width, width, 0.07), squareness=0.2)
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
            part.box(material, (x, -side, (top + seat) / 2 + 0.04), (0.018, 0.018, top - seat - 0.16))
    else:
        part.cushion(_cloth(rng), (0, -side, (top + seat) / 2 + 0.06), (width - post, 0.06, top - seat - 0.14), 0, 0.2)
    return part


def office_chair(rng: np.random.Generator) -> Assembly:
    """A swivel chair on a star of five feet."""
    part, cloth, seat = Assembly(rng), _cloth(rng), rng.uniform(0.44, 0.52)
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


def dining_table(rng: np.random.Generator) -> Furniture:
    """A table with chairs on its long sides and perhaps its ends."""
    width, depth, height = rng.uniform(1.2, 2.2), rng.uniform(0.75, 1.0), rng.uniform(0.7, 0.77)
    part = table(rng, width, depth, height, clutter.KITCHEN + clutter.OFFICE, int(rng.integers(4, 10)))
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
    part.place(clutter.keyboard(rng), pose(rng.uniform(-0.1, 0.1), 0.12, height, rng.uniform(-0.1, 0.1)))
    for x in (-1, 1):
        surface = Assembly(rng)
        clutter.scatter(surface, clutter.OFFICE, 0.4, depth, height, 3)
        part.place(surface, pose(x * (width / 2 - 0.2)))
    part.place(drawers(rng, 0.4, 0.55, height - 0.1, 3), pose(width / 2 - 0.28, 0.0))
    part.place(chair(rng), pose(rng.uniform(-0.2, 0.1), depth / 2 + rng.uniform(0, 0.2), 0, np.pi + rng.uniform(-0.6, 0.6)))
    moved = Assembly(rng)
    moved.place(part, pose(y=-0.25))
    return Furniture(moved, width, depth + 0.5, height)


def drawers(rng: np.random.Generator, width: float, depth: float, height: float, rows: int) -> Assembly:
    """A chest: carcass, drawer fronts with gaps, handles."""
    part, carcass, front = Assembly(rng), _front(rng), _front(rng)
    part.box(carcass, (0, -0.01, height / 2), (width, depth - 0.02, height))
    pitch = (height - 0.06) / rows
    for row in range(rows):
        door(part, front, 0.0, 0.06 + (row + 0.5) * pitch, width - 0.02, pitch - 0.012, depth / 2, "bar")
    return part


def door(part: Assembly, material: str, x: float, z: float, width: float, height: float, y: float, handle: str) -> None:
    """A door or drawer front standing out from the carcass at y, with its handle."""
    part.box(material, (x, y, z), (width, 0.022, height))
    if handle == "bar":
        length = min(0.22, 0.6 * width)
        part.box("metal", (x, y + 0.035, z + 0.3 * height), (length, 0.012, 0.014))
        for end in (-1, 1):
            part.box("metal", (x + end * 0.45 * length, y + 0.02, z + 0.3 * height), (0.01, 0.03, 0.01))
    elif handle == "upright":
        part.box("metal", (x + 0.4 * width, y + 0.035, z), (0.014, 0.012, min(0.25, 0.5 * height)))
    else:
        part.cushion("metal", (x + 0.38 * width, y + 0.025, z + 0.2 * height), (0.035, 0.03, 0.035), squareness=1.0)


def cabinet(rng: np.random.Generator) -> Furniture:
    """A tall cupboard or wardrobe with cartons on top."""
    width, depth, height = rng.uniform(0.8, 1.6), rng.uniform(0.4, 0.6), rng.uniform(1.3, 2.1)
    part, material, front = Assembly(rng), _wood(rng), _front(rng)
    part.box(material, (0, -0.01, height / 2), (width, depth - 0.02, height))
    doors, handle = max(2, round(width / 0.5)), str(rng.choice(["upright", "knob"]))
    pitch = width / doors
    split = rng.random() < 0.4
    for number in range(doors):
        x = -width / 2 + (number + 0.5) * pitch
        for low, high in ((0.08, 0.8), (0.82, height - 0.03)) if split else ((0.08, height - 0.03),):
            door(part, front, x, (low + high) / 2, pitch - 0.012, high - low, depth / 2, handle)
            if rng.random() < 0.25:
                part.card(str(rng.choice(["page", "picture"])), (x, depth / 2 + 0.013, rng.uniform(low, high)), 0.2, 0.27)
    clutter.scatter(part, (clutter.packet, clutter.basket, clutter.pot_plant), width, depth, height, 3)
    return Furniture(part, width, depth, 0.6 * height)


def sideboard(rng: np.random.Generator) -> Furniture:
    """A low cupboard with a screen, books and vases on it."""
    width, depth, height = rng.uniform(1.0, 2.0), rng.uniform(0.38, 0.5), rng.uniform(0.55, 0.95)
    part, front, material = Assembly(rng), _front(rng), _wood(rng)
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
                door(part, front, x, 0.06 + (row + 0.5) * pitch, width / columns - 0.012, pitch - 0.012, depth / 2, "bar")
    if rng.random() < 0.4:
        screen = clutter.monitor(rng)
        part.place(screen, pose(z=height + 0.022) @ np.diag([1.6, 1.0, 1.4, 1.0]))
    clutter.scatter(part, clutter.LIVING, width, depth, height + 0.022, int(rng.integers(3, 7)))
    return Furniture(part, width, depth, height)


def bookshelf(rng: np.random.Generator) -> Furniture:
    """Boards full of books and things."""
    width, depth, height = rng.uniform(0.7, 1.5), rng.uniform(0.26, 0.36), rng.uniform(1.2, 2.2)
    part, material = Assembly(rng), _front(rng)
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
    clutter.scatter(part, (clutter.packet, clutter.pot_plant, clutter.basket), width, depth, height, 3)
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
            part.place(rest, pose(width / 2 - left / 2, 0, z) @ np.diag([1, 1, min(1.0, room / 0.35), 1]))
    else:
        rest = Assembly(rng)
        clutter.scatter(rest, clutter.SHELF, width, depth, 0.0, int(rng.integers(3, 7)))
        part.place(rest, pose(z=z) @ np.diag([1, 1, min(1.0, room / 0.35), 1]))


def sofa(rng: np.random.Generator) -> Furniture:
    """A sofa or armchair with cushions and a throw."""
    width, depth = float(rng.choice([0.9, 1.6, 2.1])), rng.uniform(0.8, 0.95)
    part, cloth, seat = Assembly(rng), _cloth(rng), rng.uniform(0.4, 0.46)
    arm, back = rng.uniform(0.12, 0.22), rng.uniform(0.75, 0.95)
    part.cushion(cloth, (0, 0, 0.2), (width, depth, 0.34), squareness=0.12)
    part.cushion(cloth, (0, -depth / 2 + 0.12, back / 2 + 0.05), (width, 0.24, back - 0.05), squareness=0.2)
    for x in (-1, 1):
        part.cushion(cloth, (x * (width - arm) / 2, 0.02, 0.33), (arm, depth - 0.05, 0.6), squareness=0.2)
    seats = max(1, round((width - 2 * arm) / 0.7))
    pitch = (width - 2 * arm) / seats
    for number in range(seats):
        x = -width / 2 + arm + (number + 0.5) * pitch
        part.cushion(cloth, (x, 0.08, seat - 0.03), (pitch, depth - 0.22, 0.18), squareness=0.25)
        part.cushion(cloth, (x, -depth / 2 + 0.28, seat + 0.24), (pitch, 0.18, 0.42), squareness=0.3)
        if rng.random() < 0.8:
            pillow = Assembly(rng)
            pillow.cushion(PRINTS, (0, 0, 0.2), (0.42, 0.16, 0.4), 0, 0.5, pillow.cell("cloth"))
            at = pose(x + rng.uniform(-0.12, 0.12), -0.08, seat + 0.04, rng.uniform(-0.4, 0.4))
            part.place(pillow, at @ tilt(rng.uniform(0.2, 0.5)))
    if rng.random() < 0.5:
        clutter.scatter(part, (clutter.papers, clutter.book_stack), 0.4, 0.3, seat + 0.07, 1)
    for x in (-1, 1):
        for y in (-1, 1):
            part.cylinder("wood_dark", (x * (width / 2 - 0.1), y * (depth / 2 - 0.1), 0), 0.025, 0.06)
    return Furniture(part, width, depth, 0.5)


def bed(rng: np.random.Generator) -> Furniture:
    """A bed with pillows and a blanket; its head is at the back."""
    width, length = float(rng.choice([0.95, 1.45, 1.7])), 2.05
    part, material = Assembly(rng), _wood(rng)
    part.box(material, (0, 0, 0.2), (width, length, 0.14))
    part.box(material, (0, -length / 2, 0.5), (width + 0.05, 0.05, 1.0))
    for x in (-1, 1):
        part.box(material, (x * (width / 2 - 0.05), length / 2 - 0.06, 0.1), (0.07, 0.07, 0.2))
    part.cushion("ceramic", (0, 0, 0.36), (width, length - 0.05, 0.24), squareness=0.15)
    part.cushion(_cloth(rng), (0, 0.25, 0.42), (width + 0.12, length - 0.6, 0.24), squareness=0.25)
    pillows = 1 if width < 1.2 else 2
    for number in range(pillows):
        x = (number - (pillows - 1) / 2) * 0.72
        cell = part.cell("cloth")
        part.cushion(PRINTS, (x, -length / 2 + 0.32, 0.54), (0.66, 0.42, 0.17), rng.uniform(-0.15, 0.15), 0.45, cell)
    clutter.scatter(part, (clutter.papers, clutter.book_stack), width * 0.7, 0.8, 0.54, 2)
    return Furniture(part, width + 0.1, length, 0.5)


def cartons(rng: np.random.Generator) -> Furniture:
    """Cardboard boxes, piled."""
    part, z = Assembly(rng), 0.0
    for _ in range(int(rng.integers(1, 4))):
        width, depth, height = rng.uniform(0.3, 0.55), rng.uniform(0.3, 0.45), rng.uniform(0.2, 0.4)
        box = Assembly(rng)
        box.box("cardboard", (0, 0, height / 2), (width, depth, height))
        box.card("page", (0.05, depth / 2 + 0.002, height * 0.6), 0.12, 0.09)
        part.place(box, pose(rng.uniform(-0.04, 0.04), rng.uniform(-0.04, 0.04), z, rng.uniform(-0.35, 0.35)))
        z += height
    if z < 0.9:
        clutter.scatter(part, clutter.OFFICE, 0.3, 0.3, z, 1)
    return Furniture(part, 0.6, 0.55, min(z, 0.8))


def plant(rng: np.random.Generator) -> Furniture:
    """A big plant in a tub."""
    part, r, height = Assembly(rng), rng.uniform(0.15, 0.24), rng.uniform(0.3, 0.45)
    part.turned("paint_b", (0, 0, 0), [(0, 0), (0.75 * r, 0), (r, height), (0.9 * r, height), (0, height - 0.04)], 18)
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
    part.turned(str(rng.choice(["plastic", "metal"])), (0, 0, 0), [(0, 0), (0.8 * r, 0), (r, height), (0.85 * r, 0.1), (0, 0.1)], 16)
    return Furniture(part, 0.4, 0.4, 0.3)
