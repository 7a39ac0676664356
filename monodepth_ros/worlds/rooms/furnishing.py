"""Placing furniture in rooms so that doorways stay free and every room can be walked into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from monodepth_ros.worlds.assembly import Array, Assembly, pose
from monodepth_ros.worlds.rooms import furniture, kitchen, seating, storage, tables
from monodepth_ros.worlds.rooms.floor_plan import FloorPlan, Room
from monodepth_ros.worlds.rooms.furniture import Furniture
from monodepth_ros.worlds.rooms.shell import local_openings, room_sides, side_frame

CELL = 0.05  # metres of the occupancy grid
CLEARANCE = 0.5  # metres that the camera keeps from walls and furniture
TALL = 1.2

WALL_PIECES: dict[str, tuple[furniture.Maker, ...]] = {
    "kitchen": (
        kitchen.kitchen_run,
        kitchen.low_kitchen_run,
        kitchen.fridge,
        storage.sideboard,
        furniture.bin_,
        furniture.cartons,
    ),
    "living": (
        seating.sofa,
        storage.sideboard,
        storage.bookshelf,
        furniture.plant,
        furniture.floor_lamp,
        seating.sofa,
    ),
    "office": (
        tables.desk,
        tables.desk,
        storage.bookshelf,
        storage.cabinet,
        furniture.bin_,
        furniture.cartons,
    ),
    "dining": (
        storage.sideboard,
        storage.cabinet,
        furniture.plant,
        storage.bookshelf,
        storage.sideboard,
    ),
    "bedroom": (
        seating.bed,
        storage.cabinet,
        storage.sideboard,
        tables.desk,
        furniture.floor_lamp,
    ),
    "store": (
        storage.bookshelf,
        furniture.cartons,
        storage.cabinet,
        storage.bookshelf,
        furniture.cartons,
        tables.desk,
    ),
}
MIDDLE_PIECES: dict[str, tuple[furniture.Maker, ...]] = {
    "kitchen": (tables.dining_table, tables.round_table),
    "living": (tables.coffee_table, tables.round_table),
    "office": (tables.round_table, tables.dining_table),
    "dining": (tables.dining_table,),
    "bedroom": (tables.coffee_table,),
    "store": (furniture.cartons, tables.round_table),
}


@dataclass(frozen=True)
class Landmark:
    """Something to look at: a point (x, y, z), its room, and how much there is to see."""

    point: tuple[float, float, float]
    room: int
    interest: float


class Occupancy:
    """Floor cells of `CELL` metres that are taken by walls or furniture; indexed [x, y]."""

    def __init__(self, plan: FloorPlan) -> None:
        self.plan = plan
        shape = (round(plan.width / CELL) + 1, round(plan.depth / CELL) + 1)
        self.x, self.y = (np.arange(n) * CELL for n in shape)
        self.taken: NDArray[np.bool_] = np.ones(shape, bool)
        for room in plan.rooms:
            self.taken[self._inside(room.x0, room.y0, room.x1, room.y1)] = False
        for doorway in plan.doorways:
            half = (doorway.width / 2, 0.15) if doorway.along_x else (0.15, doorway.width / 2)
            box = (
                doorway.x - half[0],
                doorway.y - half[1],
                doorway.x + half[0],
                doorway.y + half[1],
            )
            self.taken[self._inside(*box)] = False
        self.taken[[0, -1], :] = True
        self.taken[:, [0, -1]] = True

    def _inside(self, x0: float, y0: float, x1: float, y1: float) -> tuple[NDArray[np.bool_], ...]:
        return np.ix_((self.x >= x0) & (self.x <= x1), (self.y >= y0) & (self.y <= y1))

    def footprint(self, points: Array) -> tuple[NDArray[np.bool_], ...]:
        """The cells of the bounding rectangle of points (n, 2 or 3)."""
        low, high = points[:, :2].min(0) - CELL / 2, points[:, :2].max(0) + CELL / 2
        return self._inside(low[0], low[1], high[0], high[1])

    def clearance(self) -> Array:
        """Metres from each cell to the nearest taken one."""
        return CELL * ndimage.distance_transform_edt(~self.taken)

    def walkable(self) -> NDArray[np.bool_]:
        """Cells of the largest connected region that keeps `CLEARANCE` and a cell more."""
        labels, count = ndimage.label(self.clearance() >= CLEARANCE + CELL)
        if count == 0:
            return np.zeros_like(self.taken)
        sizes = np.bincount(labels.ravel())[1:]
        return labels == 1 + int(sizes.argmax())

    def connects_all_rooms(self) -> bool:
        """Whether one walkable region reaches through all doorways and has floor in all rooms."""
        free = self.walkable()
        doors = all(free[round(d.x / CELL), round(d.y / CELL)] for d in self.plan.doorways)
        floor = all(
            free[self._inside(room.x0, room.y0, room.x1, room.y1)].sum() * CELL**2 > 1.0
            for room in self.plan.rooms
        )
        return doors and floor


def furnish(
    rng: np.random.Generator, plan: FloorPlan
) -> tuple[Assembly, Occupancy, list[Landmark]]:
    """All furniture, the floor that is left, and what there is to look at."""
    everything, occupancy, landmarks = Assembly(rng), Occupancy(plan), []
    for index, room in enumerate(plan.rooms):
        for piece, transform in _arrangement(rng, room):
            if _fits(occupancy, plan, room, piece, transform):
                everything.place(piece.part, transform)
                x, y = transform[0, 3], transform[1, 3]
                interest = float(sum(len(patch.faces) for patch in piece.part.patches)) ** 0.5
                landmarks.append(Landmark((float(x), float(y), piece.gaze_height), index, interest))
    return everything, occupancy, landmarks


def _arrangement(rng: np.random.Generator, room: Room) -> Iterator[tuple[Furniture, Array]]:
    """Proposals: pieces against the walls first, then in the middle, then small fill."""
    must = list(WALL_PIECES[room.kind])
    extra = [WALL_PIECES[room.kind][int(k)] for k in rng.integers(0, len(must), 8)]
    for maker in must:
        piece = maker(rng)
        for _ in range(16):
            yield piece, _against_wall(rng, room, piece)
    middle = MIDDLE_PIECES[room.kind]
    piece = middle[int(rng.integers(len(middle)))](rng)
    for _ in range(20):
        margin = 0.5 * np.array([piece.width, piece.depth])
        x = rng.uniform(room.x0 + margin[0], max(room.x1 - margin[0], room.x0 + margin[0] + 0.01))
        y = rng.uniform(room.y0 + margin[1], max(room.y1 - margin[1], room.y0 + margin[1] + 0.01))
        yield piece, pose(x, y, 0, rng.choice([0, np.pi / 2]) + rng.uniform(-0.12, 0.12))
    for maker in extra:
        piece = maker(rng)
        for _ in range(6):
            yield piece, _against_wall(rng, room, piece)


def _against_wall(rng: np.random.Generator, room: Room, piece: Furniture) -> Array:
    side = str(rng.choice(room_sides(room)))
    frame, start, end = side_frame(room, side)
    half = piece.width / 2 + 0.03
    x = rng.uniform(start + half, max(end - half, start + half + 0.01))
    return frame @ pose(x, piece.depth / 2 + 0.03, 0, 0)


def _fits(
    occupancy: Occupancy, plan: FloorPlan, room: Room, piece: Furniture, transform: Array
) -> bool:
    """Marks the floor taken and returns True when the piece fits; a piece is placed once."""
    if piece.placed:
        return False
    points = (
        np.concatenate([p.vertices for p in piece.part.patches]) @ transform[:3, :3].T
        + transform[:3, 3]
    )
    low, high = points.min(0), points.max(0)
    solid = points[points[:, 2] > 0.05]
    inside = (
        low[0] >= room.x0 - 0.02
        and low[1] >= room.y0 - 0.02
        and high[0] <= room.x1 + 0.02
        and high[1] <= room.y1 + 0.02
    )
    cells = occupancy.footprint(solid)
    if (
        not inside
        or occupancy.taken[cells].any()
        or (high[2] > TALL and _hides_window(room, low, high))
    ):
        return False
    before = occupancy.taken[cells].copy()
    occupancy.taken[cells] = True
    if not occupancy.connects_all_rooms():
        occupancy.taken[cells] = before
        return False
    piece.placed = True
    return True


def _hides_window(room: Room, low: Array, high: Array) -> bool:
    for side in room_sides(room):
        frame, _, _ = side_frame(room, side)
        for opening in local_openings(room, side):
            ends = (
                np.array([[opening.start, 0, 0], [opening.end, 0.4, 0]]) @ frame[:3, :3].T
                + frame[:3, 3]
            )
            a, b = ends.min(0), ends.max(0)
            if opening.window and (low[:2] < b[:2]).all() and (high[:2] > a[:2]).all():
                return True
    return False
