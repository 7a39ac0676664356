"""Houses along a street: painted facades with windows, doors and shops, and relief in front."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from monodepth_ros.worlds import textures
from monodepth_ros.worlds.mesh import Mesh, upright_frame
from monodepth_ros.worlds.scene_builder import SceneBuilder
from monodepth_ros.worlds.street.road import KERB_HEIGHT, Street

Rng = np.random.Generator
Rectangle = tuple[float, float, float, float]  # left, bottom, width, height in metres
PIXELS_PER_METRE = 32


@dataclass
class Facade:
    """Size of a facade in metres and where its openings are."""

    width: float
    height: float
    windows: list[Rectangle]
    shops: list[Rectangle]
    doors: list[Rectangle]
    floor: float


def build_rows(rng: Rng, street: Street, scene: SceneBuilder) -> list[tuple[float, float, float]]:
    """Line both sides of the street with houses and add a skyline behind them.

    Returns the gaps left open as (side, start, end) along the street.
    """
    _define_shared(rng, scene)
    gaps = []
    number = 0
    for side in (-1.0, 1.0):
        along = rng.uniform(0, 4)
        while along < street.length - 25:
            if rng.random() < 0.16:
                gap = rng.uniform(3, 14)
                gaps.append((side, along, along + gap))
                along += gap
                continue
            width = rng.uniform(6, 19)
            if not _build_house(rng, street, scene, number, side, along, width):
                gaps.append((side, along, along + width))
            number += 1
            along += width + (rng.uniform(0.5, 2) if rng.random() < 0.2 else 0.05)
    _build_end(rng, street, scene)
    _build_skyline(rng, street, scene)
    return gaps


def paint_facade(rng: Rng, plan: Facade) -> np.ndarray:
    """The texture of a facade, first row at the roof."""
    height, width = (int(m * PIXELS_PER_METRE) for m in (plan.height, plan.width))
    image = _wall(rng, height, width).astype(np.float32) / 255
    frame = np.asarray(textures.colour(rng, saturation=(0, 0.4), value=(0.2, 0.95)), np.float32)
    shutters = rng.random() < 0.35
    shutter = np.asarray(textures.colour(rng, saturation=(0.2, 0.7), value=(0.2, 0.6)), np.float32)
    panes = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    for left, bottom, w, h in plan.windows:
        if shutters:
            for at in (left - 0.5 * w, left + w):
                _slats(image, plan, (at + 0.03, bottom, 0.5 * w - 0.06, h), shutter)
        _window(rng, image, plan, (left, bottom, w, h), frame, panes)
    for shop in plan.shops:
        _shop(rng, image, plan, shop)
    for door in plan.doors:
        _door(rng, image, plan, door)
    if rng.random() < 0.7:
        band = int(plan.height - plan.floor) * PIXELS_PER_METRE
        image[band : band + 8] *= rng.uniform(0.6, 1.3)
    base = int(0.5 * PIXELS_PER_METRE)
    image[-base:] *= rng.uniform(0.5, 0.9)
    streaks = cv2.GaussianBlur(
        textures.fractal(rng, height, width, 0.6), (1, 0), 1, sigmaY=height / 10
    )
    return textures.to_uint8(image * (1 + 0.5 * streaks)[..., None])


def plan_facade(rng: Rng, width: float, height: float) -> Facade:
    """Floors and bays of windows; shops or flats on the ground floor."""
    floor = rng.uniform(2.8, 3.6)
    floors = max(1, int((height - 0.6) / floor))
    bays = max(1, int(width / rng.uniform(2.0, 3.4)))
    w, h = rng.uniform(0.9, 1.5), rng.uniform(1.2, min(2.1, floor - 0.9))
    pitch = width / bays
    w = min(w, 0.6 * pitch)
    windows, shops, doors = [], [], []
    shop_front = rng.random() < 0.45
    door_bay = int(rng.integers(0, bays))
    for level in range(floors):
        for bay in range(bays):
            middle = (bay + 0.5) * pitch
            if level == 0 and bay == door_bay:
                doors.append((middle - 0.55, 0.0, 1.1, 2.3))
            elif level == 0 and shop_front:
                shops.append((middle - 0.44 * pitch, 0.5, 0.88 * pitch, 2.1))
            else:
                windows.append((middle - w / 2, level * floor + 0.9, w, h))
    return Facade(width, height, windows, shops, doors, floor)


def _define_shared(rng: Rng, scene: SceneBuilder) -> None:
    """Materials that several houses share: side walls, roofs, trim."""
    for k in range(5):
        scene.define(f"wall{k}", _wall(rng, 512, 512), (16.0, 16.0))
        roof = textures.colour(rng, (0.0, 0.1), (0.1, 0.6), (0.25, 0.55))
        scene.define(f"roof{k}", textures.tiles(rng, roof, 512, 512, 24, 16, 0.12, 3), (6.0, 6.0))
        trim = textures.colour(rng, saturation=(0.0, 0.5), value=(0.2, 0.95))
        scene.define(f"trim{k}", textures.metal(rng, trim, 256, 256), (2.0, 2.0))


def _wall(rng: Rng, height: int, width: int) -> np.ndarray:
    """A stretch of plain wall at the facade's scale."""
    kind = rng.random()
    if kind < 0.4:
        base = textures.colour(rng, (-0.02, 0.12), (0.2, 0.6), (0.35, 0.7))
        rows = max(2, 2 * (height // 10))
        return textures.bricks(rng, base, height, width, rows, max(2, width // 16))
    if kind < 0.85:
        hues = (0.02, 0.15) if rng.random() < 0.75 else (0.3, 0.65)
        base = textures.colour(rng, hues, (0.03, 0.38), (0.5, 0.9))
        return textures.plaster(rng, base, height, width)
    if kind < 0.93:
        base = textures.colour(rng, (0.05, 0.6), (0.0, 0.2), (0.45, 0.75))
        return textures.tiles(rng, base, height, width, max(1, height // 24), max(1, width // 40))
    return textures.concrete(rng, height, width, max(1, height // 96))


def _build_house(
    rng: Rng,
    street: Street,
    scene: SceneBuilder,
    number: int,
    side: float,
    along: float,
    width: float,
) -> bool:
    """One house; False where it would stand in the road, as inside a tight bend."""
    depth, height = rng.uniform(8, 13), float(rng.choice([rng.uniform(4, 9), rng.uniform(9, 22)]))
    setback = rng.uniform(1, 4) if rng.random() < 0.2 else rng.uniform(0, 0.3)
    middle = along + width / 2
    yaw = float(street.yaw(middle))
    x, y = street.at(middle, side * (street.building_line + setback))
    # The house's own frame: x along its front from left to right as seen from the street,
    # y into the house.
    frame = upright_frame(x, y, yaw if side > 0 else yaw + np.pi, KERB_HEIGHT - 0.02)
    corners = np.array([[-width / 2, 0], [width / 2, 0], [0, 0]]) @ frame[:2, :2].T + frame[:2, 3]
    back = np.array([[-width / 2, depth], [width / 2, depth]]) @ frame[:2, :2].T + frame[:2, 3]
    clearance = street.clearance(np.concatenate([corners, back]))
    if clearance < street.half_road + street.parking + 0.6:
        return False
    plan = plan_facade(rng, width, height)
    front = scene.define(f"facade{number}", paint_facade(rng, plan), (width, height))
    front.quad(_upright((-width / 2, width / 2), 0.0, (0.0, height), frame))
    wall = scene[f"wall{int(rng.integers(0, 5))}"]
    wall.box((0, depth / 2 + 0.02, height / 2), (width, depth - 0.04, height - 0.02), frame)
    _add_roof(rng, scene, frame, width, depth, height)
    _add_relief(rng, scene, frame, plan)
    return True


def _upright(
    xs: tuple[float, float], y: float, zs: tuple[float, float], frame: np.ndarray
) -> np.ndarray:
    corners = np.array([[xs[0], y, zs[0]], [xs[1], y, zs[0]], [xs[1], y, zs[1]], [xs[0], y, zs[1]]])
    return corners @ frame[:3, :3].T + frame[:3, 3]


def _add_roof(
    rng: Rng, scene: SceneBuilder, frame: np.ndarray, width: float, depth: float, height: float
) -> None:
    """A gabled roof with its ridge along the street, or a flat one with a parapet."""
    if rng.random() < 0.55 and height < 14:
        rise, over = rng.uniform(0.25, 0.5) * depth, 0.35
        outline = np.array(
            [[-over, height - 0.1], [depth / 2, height + rise], [depth + over, height - 0.1]]
        )
        # `extrude` sweeps across y; turn the house so that its depth becomes the outline's x.
        turn = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float)
        scene[f"roof{int(rng.integers(0, 5))}"].extrude(outline, width / 2 + 0.15, frame @ turn)
        if rng.random() < 0.6:
            at = (rng.uniform(-0.35, 0.35) * width, 0.4 * depth, height + 0.8 * rise)
            scene["wall0"].box(at, (0.7, 0.7, 2.0), frame)
    else:
        trim = scene[f"trim{int(rng.integers(0, 5))}"]
        trim.box((0, 0.05, height + 0.15), (width + 0.1, 0.3, 0.5), frame)


def _add_relief(rng: Rng, scene: SceneBuilder, frame: np.ndarray, plan: Facade) -> None:
    """Sills, cornices, awnings, signs, balconies, steps and downpipes."""
    trim = scene[f"trim{int(rng.integers(0, 5))}"]
    left = -plan.width / 2
    sills, balconies = rng.random() < 0.7, rng.random() < 0.3
    lintels = rng.random() < 0.4
    for x, z, w, h in plan.windows:
        middle = left + x + w / 2
        if sills:
            trim.box((middle, -0.06, z - 0.05), (w + 0.2, 0.18, 0.09), frame)
        if lintels:
            trim.box((middle, -0.04, z + h + 0.1), (w + 0.3, 0.14, 0.16), frame)
        if balconies and z > 3.0 and rng.random() < 0.6:
            _balcony(trim, frame, (middle, z - 0.35), w + 0.9)
    awning = scene[f"trim{int(rng.integers(0, 5))}"]
    for x, z, w, h in plan.shops:
        middle = left + x + w / 2
        awning.box((middle, -0.1, z + h + 0.25), (w, 0.24, 0.45), frame)
        if rng.random() < 0.4:
            awning.quad(_sloped((middle - w / 2, middle + w / 2), z + h, 1.2, frame))
    for x, _, w, h in plan.doors:
        middle = left + x + w / 2
        trim.box((middle, -0.2, 0.07), (w + 0.5, 0.45, 0.14), frame)
        trim.box((middle, -0.12, h + 0.15), (w + 0.4, 0.3, 0.12), frame)
    if rng.random() < 0.6:
        trim.box((0, -0.08, plan.height - 0.15), (plan.width, 0.22, 0.3), frame)
    if rng.random() < 0.7:
        trim.cylinder(
            (left + 0.12, -0.07, 0), (0, 0, plan.height - 0.2), 0.05, sides=6, frame=frame
        )


def _sloped(xs: tuple[float, float], z: float, reach: float, frame: np.ndarray) -> np.ndarray:
    corners = np.array(
        [
            [xs[0], -reach, z - 0.3],
            [xs[1], -reach, z - 0.3],
            [xs[1], 0, z + 0.1],
            [xs[0], 0, z + 0.1],
        ]
    )
    return corners @ frame[:3, :3].T + frame[:3, 3]


def _balcony(trim: Mesh, frame: np.ndarray, at: tuple[float, float], width: float) -> None:
    x, z = at
    trim.box((x, -0.5, z), (width, 1.0, 0.14), frame)
    trim.box((x, -0.98, z + 1.0), (width, 0.05, 0.06), frame)
    for k in np.linspace(-0.5, 0.5, max(3, int(width / 0.18))):
        trim.box((x + k * (width - 0.04), -0.98, z + 0.5), (0.03, 0.03, 1.0), frame)


def _build_end(rng: Rng, street: Street, scene: SceneBuilder) -> None:
    """Houses across both ends of the street, so that no view runs out of the world."""
    for k, (along, turn) in enumerate(((0.5, np.pi / 2), (street.length - 8.0, -np.pi / 2))):
        for offset in (-22.0, 0.0, 22.0):
            x, y = street.at(along, offset)
            frame = upright_frame(x, y, float(street.yaw(along)) + turn)
            height = rng.uniform(8, 20)
            plan = plan_facade(rng, 21.5, height)
            name = f"end{k}{int(offset)}"
            scene.define(name, paint_facade(rng, plan), (21.5, height)).quad(
                _upright((-10.75, 10.75), 0.0, (0.0, height), frame)
            )
            scene["wall1"].box((0, 5.02, height / 2), (21.5, 10, height), frame)


def _build_skyline(rng: Rng, street: Street, scene: SceneBuilder) -> None:
    """Taller blocks behind the first row, seen through the gaps and over the roofs."""
    for k in range(5):
        plan = plan_facade(rng, 20.0, 25.0)
        scene.define(f"block{k}", paint_facade(rng, plan), (20.0, 25.0))
    for along in np.arange(0, street.length, 13.0):
        for side in (-1.0, 1.0):
            aside = side * (street.building_line + rng.uniform(24, 60))
            x, y = street.at(along, aside)
            height = rng.uniform(7, 25)
            if street.clearance(np.array([[x, y]])) > street.building_line + 18:
                yaw = float(street.yaw(along)) + rng.uniform(-0.4, 0.4)
                frame = upright_frame(x, y, yaw)
                size = (rng.uniform(9, 20), rng.uniform(9, 16), height)
                scene[f"block{int(rng.integers(0, 5))}"].box((0, 0, height / 2), size, frame)


def _pixels(plan: Facade, rectangle: Rectangle) -> tuple[slice, slice]:
    left, bottom, w, h = (int(round(m * PIXELS_PER_METRE)) for m in rectangle)
    rows = int(plan.height * PIXELS_PER_METRE)
    return slice(max(0, rows - bottom - h), max(0, rows - bottom)), slice(max(0, left), left + w)


def _window(
    rng: Rng,
    image: np.ndarray,
    plan: Facade,
    rectangle: Rectangle,
    frame: np.ndarray,
    panes: tuple[int, int],
) -> None:
    """Glass with a patch of mirrored sky, behind a frame; some with curtains or blinds."""
    target = image[_pixels(plan, rectangle)]
    h, w = target.shape[:2]
    if h < 6 or w < 6:
        return
    glass = np.asarray(textures.colour(rng, (0.5, 0.65), (0.1, 0.5), (0.08, 0.4)), np.float32)
    fade = np.linspace(1.3, 0.6, h, dtype=np.float32)[:, None]
    pane = glass * (fade + 0.25 * textures.fractal(rng, h, w, 1.4))[..., None]
    cover = rng.random()
    curtain = np.asarray(textures.colour(rng, saturation=(0, 0.5), value=(0.4, 0.95)), np.float32)
    if cover < 0.3:
        folds = 0.8 + 0.2 * np.sin(np.arange(w) * rng.uniform(0.7, 1.6))[None, :, None]
        part = int(w * rng.uniform(0.15, 0.4))
        pane[:, :part] = curtain * folds[:, :part]
        pane[:, w - part :] = curtain * folds[:, w - part :]
    elif cover < 0.5:
        drop = int(h * rng.uniform(0.2, 0.9))
        pane[:drop] = curtain * (0.85 + 0.15 * (np.arange(drop) % 3 > 0))[:, None, None]
    target[:] = pane
    for axis, count in enumerate(panes):
        for k in range(count + 1):
            at = min(target.shape[axis] - 2, k * target.shape[axis] // count)
            target[
                (slice(at, at + 2), slice(None)) if axis == 0 else (slice(None), slice(at, at + 2))
            ] = frame
    target[:2] *= 0.5  # the shadow of the reveal


def _slats(image: np.ndarray, plan: Facade, rectangle: Rectangle, tone: np.ndarray) -> None:
    target = image[_pixels(plan, rectangle)]
    rows = np.arange(target.shape[0]) % 3
    target[:] = tone * (0.7 + 0.3 * (rows > 0))[:, None, None]


def _shop(rng: Rng, image: np.ndarray, plan: Facade, rectangle: Rectangle) -> None:
    """A display window with goods, and a sign with lettering above it."""
    left, bottom, w, h = rectangle
    target = image[_pixels(plan, rectangle)]
    rows, columns = target.shape[:2]
    if rows < 12 or columns < 12:
        return
    goods = textures.poster(rng, rows, columns).astype(np.float32) / 255
    shelves = textures.books(rng, rows, columns).astype(np.float32) / 255
    target[:] = 0.1 + 0.55 * (goods if rng.random() < 0.5 else shelves)
    target[:3] = target[-3:] = 0.25
    target[:, :3] = target[:, -3:] = 0.25
    sign = image[_pixels(plan, (left, bottom + h + 0.05, w, 0.5))]
    if sign.shape[0] > 6 and sign.shape[1] > 12:
        sign[:] = textures.poster(rng, sign.shape[0], sign.shape[1]).astype(np.float32) / 255


def _door(rng: Rng, image: np.ndarray, plan: Facade, rectangle: Rectangle) -> None:
    target = image[_pixels(plan, rectangle)]
    h, w = target.shape[:2]
    if h < 12 or w < 12:
        return
    base = textures.colour(rng, saturation=(0.2, 0.8), value=(0.15, 0.6))
    target[:] = textures.wood(rng, base, h, w, 3).astype(np.float32) / 255
    target[: h // 6, 3:-3] = (0.1, 0.12, 0.15)
    target[:, :2] = target[:, -2:] = 0.8
