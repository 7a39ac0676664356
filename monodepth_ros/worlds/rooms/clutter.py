"""Small things that lie and stand on furniture; each is laid on a surface at local height z."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from monodepth_ros.worlds.assembly import PRINTS, Assembly, pose, tilt
from monodepth_ros.worlds.rooms.prints import CELLS, SPINES_PER_CELL, spine_rectangle

Maker = Callable[[np.random.Generator], Assembly]


def mug(rng: np.random.Generator) -> Assembly:
    """A mug with a handle."""
    part, radius, height = Assembly(rng), rng.uniform(0.035, 0.05), rng.uniform(0.08, 0.11)
    inside = [(radius * 0.9, height), (radius * 0.85, 0.01), (0, 0.01)]
    part.turned("ceramic", (0, 0, 0), [(0, 0), (radius, 0), (radius, height), *inside], 14)
    part.box("ceramic", (radius + 0.015, 0, height / 2), (0.03, 0.012, height * 0.6))
    return part


def bottle(rng: np.random.Generator) -> Assembly:
    """A bottle with a label."""
    part, radius, height = Assembly(rng), rng.uniform(0.03, 0.045), rng.uniform(0.18, 0.32)
    neck = radius * 0.35
    profile = [
        (0, 0),
        (radius, 0),
        (radius, 0.6 * height),
        (neck, 0.78 * height),
        (neck, height),
        (0, height),
    ]
    part.turned(str(rng.choice(["plastic", "ceramic", "leaf", "paint_b"])), (0, 0, 0), profile, 12)
    label = [(radius * 1.03, 0.15 * height), (radius * 1.03, 0.5 * height)]
    part.turned(PRINTS, (0, 0, 0), label, 12, part.cell("packet"))
    return part


def papers(rng: np.random.Generator) -> Assembly:
    """A few sheets and magazines, fanned out."""
    part = Assembly(rng)
    for layer in range(int(rng.integers(1, 5))):
        sheet = Assembly(rng)
        kind = str(rng.choice(["page", "cover"]))
        sheet.card(kind, (0, 0, 0.002 + 0.004 * layer), 0.21, 0.29, facing="up")
        x, y = rng.uniform(-0.1, 0.1, 2)
        part.place(sheet, pose(x, y, 0.0, rng.uniform(-0.8, 0.8)))
    return part


def book_stack(rng: np.random.Generator) -> Assembly:
    """Books lying on each other."""
    part, z = Assembly(rng), 0.0
    for _ in range(int(rng.integers(1, 7))):
        thickness, width = rng.uniform(0.012, 0.045), rng.uniform(0.15, 0.24)
        book = Assembly(rng)
        book.box(
            PRINTS, (0, 0, z + thickness / 2), (width, width * 1.35, thickness), book.cell("cover")
        )
        part.place(book, pose(yaw=rng.uniform(-0.5, 0.5)))
        z += thickness
    return part


def standing_book(rng: np.random.Generator) -> Assembly:
    """A book or a framed picture that leans back."""
    part = Assembly(rng)
    height = rng.uniform(0.2, 0.32)
    width = height * rng.uniform(0.65, 0.9)
    kind = str(rng.choice(["cover", "picture", "page"]))
    part.box(PRINTS, (0, 0, height / 2), (width, rng.uniform(0.008, 0.03), height), part.cell(kind))
    leaning = Assembly(rng)
    leaning.place(part, pose(z=0.005) @ tilt(rng.uniform(0.1, 0.3)))
    return leaning


def packet(rng: np.random.Generator) -> Assembly:
    """A carton."""
    part = Assembly(rng)
    width, depth, height = rng.uniform(0.08, 0.22), rng.uniform(0.05, 0.12), rng.uniform(0.1, 0.3)
    part.box(PRINTS, (0, 0, height / 2), (width, depth, height), part.cell("packet"))
    return part


def bowl(rng: np.random.Generator) -> Assembly:
    """A bowl of fruit."""
    part, radius = Assembly(rng), rng.uniform(0.12, 0.18)
    profile = [
        (0, 0),
        (0.5 * radius, 0),
        (radius, 0.09),
        (0.95 * radius, 0.09),
        (0.45 * radius, 0.02),
        (0, 0.02),
    ]
    part.turned(str(rng.choice(["ceramic", "wood_dark", "metal"])), (0, 0, 0), profile, 16)
    for _ in range(int(rng.integers(4, 9))):
        x, y = rng.uniform(-0.5, 0.5, 2) * radius
        size = rng.uniform(0.06, 0.09)
        material = str(rng.choice(["leaf", "paint_a", "paint_b", "wood_light"]))
        part.cushion(
            material, (x, y, 0.07 + rng.uniform(0, 0.04)), (size, size, size), squareness=1.0
        )
    return part


def basket(rng: np.random.Generator) -> Assembly:
    """An open crate with things in it."""
    part = Assembly(rng)
    width, depth, height = rng.uniform(0.25, 0.45), rng.uniform(0.2, 0.3), rng.uniform(0.08, 0.16)
    material = str(rng.choice(["plastic", "paint_a", "wood_light", "fabric_b"]))
    part.box(material, (0, 0, 0.006), (width, depth, 0.012))
    for x, y, w, d in (
        (0, depth / 2, width, 0.012),
        (0, -depth / 2, width, 0.012),
        (width / 2, 0, 0.012, depth),
        (-width / 2, 0, 0.012, depth),
    ):
        part.box(material, (x, y, height / 2), (w, d, height))
    for _ in range(int(rng.integers(3, 7))):
        x, y = rng.uniform(-0.3, 0.3, 2) * (width, depth)
        part.place(
            packet(rng), pose(x, y, 0.012, rng.uniform(0, 3)) @ np.diag([0.6, 0.6, 0.6, 1.0])
        )
    return part


def laptop(rng: np.random.Generator) -> Assembly:
    """An open laptop."""
    part = Assembly(rng)
    part.box("metal", (0, 0, 0.009), (0.33, 0.23, 0.018))
    part.card("screen", (0, 0.02, 0.0185), 0.28, 0.11, facing="up")
    lid = Assembly(rng)
    lid.box("plastic", (0, 0, 0.11), (0.33, 0.01, 0.22))
    lid.card("screen", (0, 0.0055, 0.11), 0.31, 0.2)
    part.place(lid, pose(y=-0.115, z=0.018) @ tilt(rng.uniform(0.2, 0.5)))
    return part


def monitor(rng: np.random.Generator) -> Assembly:
    """A screen on a foot."""
    part, width = Assembly(rng), rng.uniform(0.48, 0.65)
    height = width * 0.6
    part.box("plastic", (0, 0, 0.01), (0.24, 0.2, 0.02))
    part.box("plastic", (0, -0.02, 0.1), (0.05, 0.03, 0.2))
    part.box("plastic", (0, 0, 0.12 + height / 2), (width, 0.035, height))
    part.card("screen", (0, 0.019, 0.12 + height / 2), width - 0.02, height - 0.02)
    return part


def keyboard(rng: np.random.Generator) -> Assembly:
    """A keyboard and a mouse."""
    part = Assembly(rng)
    part.box("plastic", (0, 0, 0.01), (0.42, 0.14, 0.02))
    part.card("page", (0, 0, 0.0205), 0.4, 0.12, facing="up")
    part.cushion("plastic", (0.3, 0, 0.015), (0.06, 0.1, 0.035))
    return part


def table_lamp(rng: np.random.Generator) -> Assembly:
    """A lamp with a shade (unlit)."""
    part, height = Assembly(rng), rng.uniform(0.3, 0.5)
    part.turned(
        "metal", (0, 0, 0), [(0, 0), (0.08, 0), (0.07, 0.02), (0.015, 0.04), (0.012, height)], 12
    )
    shade = [(0.15, height - 0.08), (0.09, height + 0.12)]
    part.turned("fabric_b", (0, 0, 0), shade, 16)
    return part


def vase(rng: np.random.Generator) -> Assembly:
    """A vase with twigs."""
    part, height = Assembly(rng), rng.uniform(0.15, 0.3)
    r = rng.uniform(0.04, 0.08)
    profile = [(0, 0), (0.7 * r, 0), (r, 0.4 * height), (0.5 * r, 0.8 * height), (0.6 * r, height)]
    part.turned(str(rng.choice(["ceramic", "paint_a", "stone"])), (0, 0, 0), profile, 16)
    foliage(part, (0.0, 0.0, height), 14, rng.uniform(0.15, 0.3), 0.05)
    return part


def pot_plant(rng: np.random.Generator) -> Assembly:
    """A small plant in a pot."""
    part, r = Assembly(rng), rng.uniform(0.06, 0.1)
    part.turned("paint_b", (0, 0, 0), [(0, 0), (0.7 * r, 0), (r, 1.6 * r), (0, 1.5 * r)], 14)
    foliage(part, (0.0, 0.0, 1.5 * r), 26, 2.6 * r, 0.06)
    return part


def foliage(
    part: Assembly, root: tuple[float, float, float], count: int, reach: float, width: float
) -> None:
    """Leaves that fan out from a root, each bent in two pieces."""
    rng = part.rng
    for _ in range(count):
        yaw, rise = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1.2)
        out = np.array([np.cos(yaw), np.sin(yaw), 0.0])
        across = np.array([-np.sin(yaw), np.cos(yaw), 0.0]) * width * rng.uniform(0.5, 1.0)
        length = reach * rng.uniform(0.6, 1.0)
        base = np.asarray(root)
        middle = base + length * 0.6 * (out * np.cos(rise) + [0, 0, np.sin(rise)])
        tip = middle + length * 0.5 * (out * np.cos(rise - 0.9) + [0, 0, np.sin(rise - 0.9)])
        part.quad(
            "leaf", [base - 0.3 * across, base + 0.3 * across, middle + across, middle - across]
        )
        part.quad(
            "leaf", [middle - across, middle + across, tip + 0.1 * across, tip - 0.1 * across]
        )


def book_row(rng: np.random.Generator, length: float, tallest: float, depth: float) -> Assembly:
    """Upright books along x in [0, length], their spines at the front (+y)."""
    part, x = Assembly(rng), 0.0
    while x < length - 0.05:
        if rng.random() < 0.06:
            x += rng.uniform(0.02, 0.1)
            continue
        width, height = rng.uniform(0.015, 0.05), rng.uniform(0.6, 0.95) * tallest
        deep = rng.uniform(0.6, 0.9) * depth
        spine = spine_rectangle(
            int(rng.choice(CELLS["spines"])), int(rng.integers(SPINES_PER_CELL))
        )
        part.box(
            PRINTS,
            (x + width / 2, deep / 2 - depth / 2, height / 2),
            (width - 0.002, deep, height),
            spine,
        )
        x += width
    return part


KITCHEN: tuple[Maker, ...] = (
    mug,
    mug,
    bottle,
    bottle,
    bowl,
    packet,
    packet,
    standing_book,
    basket,
    papers,
    pot_plant,
)
OFFICE: tuple[Maker, ...] = (
    mug,
    papers,
    papers,
    book_stack,
    laptop,
    packet,
    pot_plant,
    standing_book,
    table_lamp,
)
LIVING: tuple[Maker, ...] = (
    vase,
    book_stack,
    book_stack,
    bowl,
    papers,
    mug,
    standing_book,
    table_lamp,
    pot_plant,
    basket,
)
SHELF: tuple[Maker, ...] = (
    vase,
    packet,
    packet,
    standing_book,
    bottle,
    pot_plant,
    book_stack,
    mug,
    basket,
)


def scatter(
    part: Assembly,
    makers: tuple[Maker, ...],
    width: float,
    depth: float,
    z: float,
    count: int,
    facing: float = 0.6,
) -> None:
    """Lays up to `count` things on the surface of the given size at height z, without overlap."""
    rng, taken = part.rng, np.empty((0, 3))
    for _ in range(4 * count):
        if len(taken) >= count:
            return
        thing = makers[int(rng.integers(len(makers)))](rng)
        points = np.concatenate([patch.vertices for patch in thing.patches])
        radius = float(np.linalg.norm(points[:, :2], axis=1).max())
        if 2 * radius > min(width, depth) + 0.12:
            continue
        reach = np.maximum(np.array([width, depth]) / 2 - radius, 0.0)
        x, y = rng.uniform(-reach, reach)
        if (
            len(taken)
            and (np.hypot(taken[:, 0] - x, taken[:, 1] - y) < 0.8 * (taken[:, 2] + radius)).any()
        ):
            continue
        taken = np.vstack([taken, [x, y, radius]])
        part.place(thing, pose(x, y, z, rng.uniform(-facing, facing)))
