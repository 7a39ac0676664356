"""A room before furniture: floor, ceiling, walls with doorways and windows, things on the walls."""

from __future__ import annotations

import numpy as np

from monodepth_ros.worlds.assembly import Array, Assembly, Rectangle, pose
from monodepth_ros.worlds.rooms.floor_plan import THICKNESS, FloorPlan, Opening, Room
from monodepth_ros.worlds.rooms.storage import fill_shelf

WINDOW_REVEAL = 0.18
WHOLE: Rectangle = (0.0, 1.0, 1.0, 0.0)  # a texture whose first row is at the top


def side_frame(room: Room, side: str) -> tuple[Array, float, float]:
    """(transform, start, end): local x runs along the wall, y points into the room, z up.

    Local x is the coordinate along the wall; north and west run against the axis and negate it.
    """
    if side == "south":
        return pose(0, room.y0, 0, 0), room.x0, room.x1
    if side == "north":
        return pose(0, room.y1, 0, np.pi), -room.x1, -room.x0
    if side == "east":
        return pose(room.x1, 0, 0, np.pi / 2), room.y0, room.y1
    return pose(room.x0, 0, 0, -np.pi / 2), -room.y1, -room.y0


def local_openings(room: Room, side: str) -> list[Opening]:
    """The openings of a side in the local x of `side_frame`, from left to right."""
    openings = room.openings[side]
    if side in ("north", "west"):
        openings = [Opening(-o.end, -o.start, o.low, o.high, o.window) for o in openings]
    return sorted(openings, key=lambda opening: opening.start)


def build_shell(rng: np.random.Generator, plan: FloorPlan, mirrors: bool = False) -> Assembly:
    """Everything that does not stand on a floor; room i has floor<i>, wall<i> and accent<i>."""
    shell = Assembly(rng)
    for index, room in enumerate(plan.rooms):
        _floor_and_ceiling(shell, plan, room, index)
        accent = str(rng.choice(room_sides(room)))
        for side in room_sides(room):
            material = f"accent{index}" if side == accent else f"wall{index}"
            _wall(shell, plan, room, side, material)
            _decorate(shell, plan, room, side, mirrors)
    for doorway in plan.doorways:
        frame = Assembly(rng)
        half, reach = doorway.width / 2, THICKNESS / 2 + 0.01
        frame.quad(
            "trim",
            [
                [-half, -reach, 0.004],
                [half, -reach, 0.004],
                [half, reach, 0.004],
                [-half, reach, 0.004],
            ],
        )
        _door_frame(frame, doorway.width)
        shell.place(frame, pose(doorway.x, doorway.y, 0, 0.0 if doorway.along_x else np.pi / 2))
    return shell


def room_sides(room: Room) -> list[str]:
    """The four sides in a fixed order."""
    return list(room.openings)


def _floor_and_ceiling(shell: Assembly, plan: FloorPlan, room: Room, index: int) -> None:
    west, south, east, north, h = room.x0, room.y0, room.x1, room.y1, plan.height
    shell.quad(
        f"floor{index}", [[west, south, 0], [east, south, 0], [east, north, 0], [west, north, 0]]
    )
    shell.quad("ceiling", [[west, north, h], [east, north, h], [east, south, h], [west, south, h]])
    for x in np.arange(west + 1.0, east - 0.4, 2.2):
        for y in np.arange(south + 1.0, north - 0.4, 2.2):
            shell.box("metal", (float(x), float(y), h - 0.03), (0.96, 0.31, 0.05))
            x0, x1, y0, y1, z = x - 0.45, x + 0.45, y - 0.13, y + 0.13, h - 0.057
            shell.quad("lamp", [[x0, y1, z], [x1, y1, z], [x1, y0, z], [x0, y0, z]])


def _sheet(
    shell: Assembly, frame: Array, material: str, start: float, end: float, low: float, high: float
) -> None:
    """A piece of wall, seen from inside the room, whose texture is continuous along the wall."""
    if end - start < 1e-6 or high - low < 1e-6:
        return
    corners = np.array([[end, 0, low], [start, 0, low], [start, 0, high], [end, 0, high]])
    shell.quad(material, corners @ frame[:3, :3].T + frame[:3, 3], (-end, low, -start, high))


def _wall(shell: Assembly, plan: FloorPlan, room: Room, side: str, material: str) -> None:
    frame, left, end = side_frame(room, side)
    for opening in local_openings(room, side):
        _sheet(shell, frame, material, left, opening.start, 0.0, plan.height)
        _skirting(shell, frame, left, opening.start)
        _sheet(shell, frame, material, opening.start, opening.end, opening.high, plan.height)
        _sheet(shell, frame, material, opening.start, opening.end, 0.0, opening.low)
        if opening.window:
            _skirting(shell, frame, opening.start, opening.end)
            part = Assembly(shell.rng)
            _window(part, opening)
            shell.place(part, frame)
        left = opening.end
    _sheet(shell, frame, material, left, end, 0.0, plan.height)
    _skirting(shell, frame, left, end)


def _skirting(shell: Assembly, frame: Array, start: float, end: float) -> None:
    part = Assembly(shell.rng)
    part.box("wood_light", ((start + end) / 2, 0.006, 0.04), (end - start, 0.012, 0.08))
    shell.place(part, frame)


def _window(part: Assembly, opening: Opening) -> None:
    """A bright pane behind frame, bars, sill and reveal, a radiator below, curtains beside."""
    rng, y = part.rng, -WINDOW_REVEAL
    a, b, low, high = opening.start, opening.end, opening.low, opening.high
    middle, width, height = (a + b) / 2, b - a, high - low
    part.quad("window", [[b, y, low], [a, y, low], [a, y, high], [b, y, high]], WHOLE)
    reveal = WINDOW_REVEAL / 2
    for x in (a - 0.02, b + 0.02):
        part.box("trim", (x, y + reveal, (low + high) / 2), (0.04, WINDOW_REVEAL, height))
    part.box("trim", (middle, y + reveal, high + 0.02), (width, WINDOW_REVEAL, 0.04))
    part.box(
        "trim", (middle, y + reveal + 0.05, low - 0.02), (width + 0.1, WINDOW_REVEAL + 0.1, 0.04)
    )
    for x in np.linspace(a + 0.025, b - 0.025, int(rng.integers(2, 5))):
        part.box("trim", (float(x), y + 0.02, (low + high) / 2), (0.05, 0.04, height))
    for z in np.linspace(low + 0.025, high - 0.025, int(rng.integers(2, 4))):
        part.box("trim", (middle, y + 0.018, float(z)), (width, 0.036, 0.05))
    if rng.random() < 0.6:
        for x in np.arange(a + 0.05, b - 0.02, 0.07):
            part.box("trim", (float(x), 0.06, 0.4), (0.055, 0.08, 0.5))
        part.cylinder("metal", (a, 0.05, 0.0), 0.012, 0.2)
    if rng.random() < 0.6:
        cloth = str(rng.choice(["fabric_a", "fabric_b"]))
        for x in (a - 0.12, b + 0.12):
            _curtain(part, cloth, x, rng.uniform(0.25, 0.45), high + 0.12, rng.uniform(0.05, low))


def _curtain(part: Assembly, cloth: str, x: float, width: float, top: float, bottom: float) -> None:
    """Hanging folds."""
    across = np.linspace(x - width / 2, x + width / 2, 25)
    folds = 0.07 + 0.03 * np.sin(np.linspace(0, 2 * np.pi * 5, 25) + part.rng.uniform(0, 6))
    for k in range(24):
        x0, x1, y0, y1 = across[k], across[k + 1], folds[k], folds[k + 1]
        rectangle = (1.5 * k / 24 * width, 0.0, 1.5 * (k + 1) / 24 * width, top - bottom)
        part.quad(
            cloth, [[x1, y1, bottom], [x0, y0, bottom], [x0, y0, top], [x1, y1, top]], rectangle
        )


def _door_frame(part: Assembly, width: float) -> None:
    """Jambs and lintel lining, and architraves on both faces."""
    depth = THICKNESS + 0.03
    for x in (-1, 1):
        part.box("trim", (x * (width / 2 - 0.02), 0, 1.05), (0.04, depth, 2.1))
        for y in (-1, 1):
            part.box("trim", (x * (width / 2 + 0.03), y * (depth / 2), 1.08), (0.08, 0.02, 2.16))
    part.box("trim", (0, 0, 2.08), (width, depth, 0.04))
    for y in (-1, 1):
        part.box("trim", (0, y * (depth / 2), 2.14), (width + 0.14, 0.02, 0.08))


def _decorate(shell: Assembly, plan: FloorPlan, room: Room, side: str, mirrors: bool) -> None:
    """Pictures, notices, boards, shelves and switches on the free stretches of a wall."""
    rng = shell.rng
    frame, start, end = side_frame(room, side)
    part, x = Assembly(rng), start + rng.uniform(0.2, 0.6)
    openings = local_openings(room, side)
    while x < end - 0.5:
        width = rng.uniform(0.3, 1.2)
        blocked = [o for o in openings if o.start - 0.2 < x + width and x < o.end + 0.2]
        if blocked:
            x = max(o.end for o in blocked) + 0.3
            continue
        if x + width > end - 0.1:
            break
        if rng.random() < 0.8:
            _hang(part, x + width / 2, width, plan.height, mirrors)
        x += width + rng.uniform(0.1, 0.7)
    shell.place(part, frame)


def _hang(part: Assembly, x: float, width: float, ceiling: float, mirrors: bool) -> None:
    rng = part.rng
    kind = int(rng.integers(5))
    z = rng.uniform(1.35, 1.6)
    if kind <= 1:
        height = width * rng.uniform(0.7, 1.4)
        height = min(height, 2 * (ceiling - 0.2 - z), 1.3)
        part.box("wood_dark", (x, 0.01, z), (width, 0.02, height))
        half, rise = width / 2 - 0.02, height / 2 - 0.02
        if mirrors and rng.random() < 0.35:
            part.quad(
                "mirror",
                [
                    [x + half, 0.022, z - rise],
                    [x - half, 0.022, z - rise],
                    [x - half, 0.022, z + rise],
                    [x + half, 0.022, z + rise],
                ],
            )
        else:
            part.card("picture" if kind == 0 else "cover", (x, 0.022, z), 2 * half, 2 * rise)
    elif kind == 2:  # notice board
        height = rng.uniform(0.5, 0.9)
        part.box("cardboard", (x, 0.008, z), (width, 0.016, height))
        for layer in range(int(rng.integers(4, 12))):
            size = rng.uniform(0.1, 0.25)
            dx, dz = rng.uniform(-0.5, 0.5, 2) * np.maximum([width - size, height - size], 0.0)
            kind_of_sheet = str(rng.choice(["page", "picture", "cover", "packet"]))
            part.card(kind_of_sheet, (x + dx, 0.018 + 0.0015 * layer, z + dz), 0.75 * size, size)
    elif kind == 3:  # two shelves
        for level in (1.25, 1.62):
            part.box("wood_light", (x, 0.12, level), (width, 0.24, 0.025))
            shelf = Assembly(rng)
            fill_shelf(shelf, 0.9 * width, 0.22, level + 0.013, 0.3)
            part.place(shelf, pose(x, 0.12))
    else:  # loose sheets
        for _ in range(int(rng.integers(1, 4))):
            size = rng.uniform(0.2, 0.5)
            part.card(
                str(rng.choice(["page", "picture"])),
                (x + rng.uniform(-0.3, 0.3), rng.uniform(0.004, 0.012), z + rng.uniform(-0.2, 0.2)),
                0.75 * size,
                size,
            )
