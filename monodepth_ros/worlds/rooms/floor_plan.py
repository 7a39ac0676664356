"""A flat: a rectangle of rooms with doorways in the inner walls and windows in the outer ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

THICKNESS = 0.12  # of inner walls, metres
DOOR_HEIGHT = 2.1
SIDES = ("south", "east", "north", "west")


@dataclass(frozen=True)
class Opening:
    """A doorway or window: extent along its wall and up it, metres."""

    start: float
    end: float
    low: float
    high: float
    window: bool


@dataclass
class Room:
    """A floor x0..x1, y0..y1 in metres and the openings of its sides, placed along each wall."""

    x0: float
    y0: float
    x1: float
    y1: float
    kind: str = "living"
    openings: dict[str, list[Opening]] = field(default_factory=lambda: {side: [] for side in SIDES})

    @property
    def size(self) -> tuple[float, float]:
        """Width along x and depth along y."""
        return self.x1 - self.x0, self.y1 - self.y0

    def span(self, side: str) -> tuple[float, float]:
        """The coordinates between which a side runs: x for south and north, y for east and west."""
        return (self.x0, self.x1) if side in ("south", "north") else (self.y0, self.y1)

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies on this room's floor."""
        return self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1


@dataclass(frozen=True)
class Doorway:
    """The middle of a doorway, its width, and whether the wall it is in runs along x."""

    x: float
    y: float
    width: float
    along_x: bool


@dataclass
class FloorPlan:
    """Rooms that tile width x depth metres, their height, and the doorways between them."""

    width: float
    depth: float
    height: float
    rooms: list[Room]
    doorways: list[Doorway]


KINDS = ("kitchen", "living", "office", "dining", "bedroom", "store")


def make_plan(rng: np.random.Generator) -> FloorPlan:
    """Two to four rooms of 3 m or more a side."""
    width, depth = rng.uniform(7.0, 10.0), rng.uniform(5.5, 8.0)
    rectangles, walls = [(0.0, 0.0, width, depth)], []
    for _ in range(int(rng.integers(1, 4))):
        rectangles.sort(key=lambda r: (r[2] - r[0]) * (r[3] - r[1]))
        parts, wall = _split(rng, rectangles[-1])
        if wall is None:
            break
        rectangles[-1:] = parts
        walls.append(wall)
    kinds = (
        ["kitchen", *rng.permutation(KINDS[1:])]
        if rng.random() < 0.75
        else list(rng.permutation(KINDS[1:]))
    )
    rooms = [
        Room(*_inset(rectangle, width, depth), kind=str(kind))
        for rectangle, kind in zip(rectangles, kinds, strict=False)
    ]
    doorways = [_doorway(rng, wall, walls) for wall in walls]
    for doorway in doorways:
        _open_rooms(rooms, doorway)
    plan = FloorPlan(width, depth, float(rng.uniform(2.4, 2.9)), rooms, doorways)
    for room in rooms:
        _add_windows(rng, plan, room)
    return plan


_Rectangle = tuple[float, float, float, float]
_Wall = tuple[bool, float, float, float]  # along x?, position across, start, end


def _split(
    rng: np.random.Generator, rectangle: _Rectangle
) -> tuple[list[_Rectangle], _Wall | None]:
    x0, y0, x1, y1 = rectangle
    share = rng.uniform(0.4, 0.6)
    if x1 - x0 >= y1 - y0:
        if x1 - x0 < 6.2:
            return [rectangle], None
        x = x0 + share * (x1 - x0)
        return [(x0, y0, x, y1), (x, y0, x1, y1)], (False, x, y0, y1)
    if y1 - y0 < 6.2:
        return [rectangle], None
    y = y0 + share * (y1 - y0)
    return [(x0, y0, x1, y), (x0, y, x1, y1)], (True, y, x0, x1)


def _inset(rectangle: _Rectangle, width: float, depth: float) -> _Rectangle:
    x0, y0, x1, y1 = rectangle
    half = THICKNESS / 2
    return (
        x0 + half * (x0 > 0),
        y0 + half * (y0 > 0),
        x1 - half * (x1 < width),
        y1 - half * (y1 < depth),
    )


def _doorway(rng: np.random.Generator, wall: _Wall, walls: list[_Wall]) -> Doorway:
    """A doorway clear of the walls that end on this one."""
    along_x, position, start, end = wall
    width = rng.uniform(1.3, 1.7)
    junctions = [
        other[1]
        for other in walls
        if other[0] != along_x and min(abs(other[2] - position), abs(other[3] - position)) < 1e-9
    ]
    middles = np.linspace(start + width / 2 + 0.25, end - width / 2 - 0.25, 40)
    clear = [
        m
        for m in middles
        if all(abs(m - j) > width / 2 + 0.25 for j in junctions if start < j < end)
    ]
    middle = float(rng.choice(clear))
    return (
        Doorway(middle, position, width, True)
        if along_x
        else Doorway(position, middle, width, False)
    )


def _open_rooms(rooms: list[Room], doorway: Doorway) -> None:
    middle = doorway.x if doorway.along_x else doorway.y
    opening = Opening(
        middle - doorway.width / 2, middle + doorway.width / 2, 0.0, DOOR_HEIGHT, window=False
    )
    for room in rooms:
        if doorway.along_x and room.x0 < doorway.x < room.x1:
            for side, y in (("south", room.y0), ("north", room.y1)):
                if abs(y - doorway.y) < THICKNESS:
                    room.openings[side].append(opening)
        if not doorway.along_x and room.y0 < doorway.y < room.y1:
            for side, x in (("west", room.x0), ("east", room.x1)):
                if abs(x - doorway.x) < THICKNESS:
                    room.openings[side].append(opening)


def outer_sides(plan: FloorPlan, room: Room) -> list[str]:
    """The sides of a room that face outdoors."""
    limits = {
        "south": room.y0 == 0.0,
        "north": room.y1 == plan.depth,
        "west": room.x0 == 0.0,
        "east": room.x1 == plan.width,
    }
    return [side for side in SIDES if limits[side]]


def _add_windows(rng: np.random.Generator, plan: FloorPlan, room: Room) -> None:
    """One or two windowed sides for each room."""
    sides = outer_sides(plan, room)
    for side in rng.permutation(sides)[: int(rng.integers(1, 3))]:
        start, end = room.span(str(side))
        width = rng.uniform(1.0, 1.8)
        count = max(1, int((end - start - 0.6) / (width + 0.8)))
        pitch = (end - start) / count
        low = rng.uniform(0.75, 1.0)
        for number in range(count):
            if number == 0 or rng.random() < 0.75:
                middle = start + (number + 0.5) * pitch
                room.openings[str(side)].append(
                    Opening(
                        middle - width / 2,
                        middle + width / 2,
                        low,
                        rng.uniform(2.0, 2.25),
                        window=True,
                    )
                )
