"""Surface textures made by program: every one is drawn anew from the random generator it is given.

Each function returns an sRGB uint8 image (height, width, 3). Unless its docstring says otherwise it
tiles without a seam. All carry detail at many scales, as real surfaces do: without it neither
matching nor learning has anything to hold on to.
"""

from __future__ import annotations

import colorsys
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import scipy.fft
import scipy.ndimage

from monodepth_ros.worlds.mitsuba_backend import load_mitsuba

Rng = np.random.Generator
Colour = tuple[float, float, float]  # sRGB in [0, 1]


def material(texture: np.ndarray) -> dict[str, Any]:
    """The Mitsuba dictionary of a matte, two-sided material with this texture."""
    return {
        "type": "twosided",
        "bsdf": {"type": "diffuse", "reflectance": bitmap(texture)},
    }


def bitmap(texture: np.ndarray) -> dict[str, Any]:
    """The Mitsuba dictionary of a texture; its first row is at the top, v = 1."""
    mi = load_mitsuba()
    return {
        "type": "bitmap",
        "bitmap": mi.Bitmap(np.ascontiguousarray(texture)),
        "wrap_mode": "repeat",
        "filter_type": "bilinear",
    }


def colour(
    rng: Rng,
    hue: tuple[float, float] = (0.0, 1.0),
    saturation: tuple[float, float] = (0.1, 0.6),
    value: tuple[float, float] = (0.25, 0.85),
) -> Colour:
    """A colour drawn from ranges of hue, saturation and value."""
    return colorsys.hsv_to_rgb(
        rng.uniform(*hue) % 1.0, rng.uniform(*saturation), rng.uniform(*value)
    )


def fractal(
    rng: Rng, height: int, width: int, slope: float = 1.0, coarsest: float = 1.0
) -> np.ndarray:
    """Periodic 1/f^slope noise float32 (height, width) of unit deviation.

    `coarsest` is the lowest frequency kept, in cycles over the shorter side.
    """
    gain = _fractal_gain(height, width, slope, coarsest)
    white = rng.standard_normal((2, *gain.shape), dtype=np.float32)
    spectrum = (white[0] + 1j * white[1]) * gain
    noise = scipy.fft.irfft2(spectrum, (height, width))
    return noise / (noise.std() + 1e-12)


@lru_cache(maxsize=32)
def _fractal_gain(height: int, width: int, slope: float, coarsest: float) -> np.ndarray:
    fy = np.fft.fftfreq(height).astype(np.float32)[:, None]
    fx = np.fft.rfftfreq(width).astype(np.float32)[None]
    frequency = np.hypot(fy, fx) * min(height, width)
    frequency[0, 0] = np.inf
    return np.where(frequency >= coarsest, frequency**-slope, 0.0).astype(np.float32)


def to_uint8(image: np.ndarray) -> np.ndarray:
    """uint8 of an image in [0, 1]."""
    return (255 * np.clip(image, 0, 1) + 0.5).astype(np.uint8)


def shaded(
    rng: Rng, base: Colour, height: int, width: int, contrast: float, slope: float = 1.0
) -> np.ndarray:
    """A flat colour with fractal brightness and a little fractal tint; float (height, width, 3)."""
    bright = 1 + contrast * fractal(rng, height, width, slope)[..., None]
    tint = np.stack([fractal(rng, height, width, 1.2) for _ in range(3)], axis=-1)
    return np.asarray(base, dtype=np.float32) * (bright + 0.25 * contrast * tint)


def plaster(rng: Rng, base: Colour, height: int = 512, width: int = 512) -> np.ndarray:
    """Rendered wall: grain, trowel clouds, stains."""
    image = shaded(rng, base, height, width, 0.05, 0.4)
    clouds = fractal(rng, height, width, 1.6)
    stains = np.clip(fractal(rng, height, width, 1.8) - 0.8, 0, 2)
    return to_uint8(image * (1 + 0.07 * clouds - 0.16 * stains)[..., None])


def concrete(rng: Rng, height: int = 512, width: int = 512, panels: int = 2) -> np.ndarray:
    """Grey concrete with panel joints, pores and rain streaks."""
    grey = rng.uniform(0.4, 0.65)
    image = shaded(rng, (grey, grey, grey * 0.96), height, width, 0.07, 0.8)
    streak = _smeared(fractal(rng, height, width, 0.6), height / 12)
    pores = fractal(rng, height, width, 0.1) > 2.6
    image = image * (1 + 0.9 * streak)[..., None]
    image[pores] *= 0.6
    for k in range(panels):
        image[k * height // panels : k * height // panels + 3] *= 0.55
        image[:, k * width // panels : k * width // panels + 3] *= 0.55
    return to_uint8(image)


def bricks(
    rng: Rng, base: Colour, height: int = 512, width: int = 512, rows: int = 16, columns: int = 6
) -> np.ndarray:
    """Running bond with mortar, every brick in a tone of its own; `rows` must be even to tile."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    row = (v * rows / height).astype(int)
    shifted = u * columns / width + 0.5 * (row % 2)
    column = shifted.astype(int) % columns
    tone = rng.normal(0, 0.13, (rows, columns)).astype(np.float32)[row, column]
    hue = rng.normal(0, 0.035, (rows, columns, 3)).astype(np.float32)[row, column]
    edge_v = np.abs((v * rows / height) % 1 - 0.5) * height / rows
    edge_u = np.abs(shifted % 1 - 0.5) * width / columns
    joint = np.maximum(
        edge_v - (height / rows / 2 - 1.8), edge_u - (width / columns / 2 - 1.8)
    ).clip(0, 1)[..., None]
    image = shaded(rng, base, height, width, 0.09, 0.7) * (1 + tone[..., None]) + hue
    mortar = shaded(rng, (0.66, 0.63, 0.58), height, width, 0.06, 0.4)
    dirt = 1 + 0.07 * fractal(rng, height, width, 1.7)[..., None]
    return to_uint8((image * (1 - joint) + mortar * joint) * dirt)


def tiles(
    rng: Rng,
    base: Colour,
    height: int = 512,
    width: int = 512,
    rows: int = 8,
    columns: int = 8,
    variation: float = 0.06,
    joint_width: float = 2.0,
) -> np.ndarray:
    """Square or oblong tiles or paving slabs in a grid."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    row, column = (v * rows / height).astype(int), (u * columns / width).astype(int)
    tone = rng.normal(0, variation, (rows, columns)).astype(np.float32)[row, column]
    edge_v = (v % (height / rows)) < joint_width
    edge_u = (u % (width / columns)) < joint_width
    image = shaded(rng, base, height, width, 0.06, 0.8) * (1 + tone[..., None])
    image *= 1 + 0.06 * fractal(rng, height, width, 1.6)[..., None]
    image[edge_v | edge_u] *= 0.55
    return to_uint8(image)


def cobbles(rng: Rng, height: int = 512, width: int = 512, count: int = 24) -> np.ndarray:
    """Rounded setts laid in rows."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    row = (v * count / height).astype(int)
    offset = rng.uniform(0, 1, count)[row]
    x = (u * count / width + offset) % count
    column = x.astype(int) % count
    tone = rng.normal(0, 0.12, (count, count)).astype(np.float32)[row, column]
    bulge = 1 - (2 * np.abs((v * count / height) % 1 - 0.5)) ** 4
    bulge = bulge * (1 - (2 * np.abs(x % 1 - 0.5)) ** 4)
    grey = rng.uniform(0.36, 0.52)
    image = shaded(rng, (grey, grey * 0.97, grey * 0.92), height, width, 0.08, 0.6)
    return to_uint8(image * ((1 + tone) * (0.45 + 0.6 * bulge))[..., None])


def wood(
    rng: Rng, base: Colour, height: int = 512, width: int = 512, planks: int = 6
) -> np.ndarray:
    """Planks along the height, with grain, knots and end joints."""
    image = np.zeros((height, width, 3), dtype=np.float32)
    edges = np.linspace(0, width, planks + 1).round().astype(int)
    v = np.arange(height, dtype=np.float32)[:, None] / height
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        u = np.arange(right - left, dtype=np.float32)[None] / (right - left)
        warp = 0.35 * fractal(rng, height, right - left, 1.9)
        rings = np.sin(2 * np.pi * (rng.uniform(4, 9) * (u + 0.2 * warp) + warp + 0.0 * v))
        fibre = _smeared(rng.standard_normal((height, right - left)).astype(np.float32), 14.0)
        tone = 1 + rng.normal(0, 0.1) + 0.09 * rings + 0.7 * fibre
        plank = np.asarray(base, dtype=np.float32) * tone[..., None]
        for _ in range(rng.poisson(0.7)):
            _knot(rng, plank)
        joint = int(rng.integers(0, height))
        plank[joint : joint + 2] *= 0.5
        plank[:, :2] *= 0.5
        image[:, left:right] = plank
    return to_uint8(image)


def fabric(rng: Rng, base: Colour, height: int = 256, width: int = 256) -> np.ndarray:
    """Woven cloth: threads, stripes or checks, wear."""
    v, u = np.mgrid[0:height, 0:width].astype(np.float32)
    weave = np.sin(2 * np.pi * u * 64 / width) * np.sin(2 * np.pi * v * 64 / height)
    second = np.asarray(colour(rng, saturation=(0.0, 0.7)), dtype=np.float32)
    image = np.asarray(base, dtype=np.float32) * np.ones((height, width, 1), np.float32)
    for coordinate in (u / width, v / height):
        if rng.random() < 0.55:
            profile = fractal(rng, 1, 256, 0.5)[0]
            stripe = (profile > rng.uniform(0, 1))[(coordinate * 256).astype(int) % 256]
            image += 0.5 * stripe[..., None] * (second - image)
    wear = 1 + 0.07 * weave + 0.08 * fractal(rng, height, width, 0.9)
    return to_uint8(image * wear[..., None])


def carpet(rng: Rng, height: int = 512, width: int = 512) -> np.ndarray:
    """Patterned rug with borders; meant to be laid once, edge to edge."""
    palette = [colour(rng, saturation=(0.2, 0.75), value=(0.2, 0.8)) for _ in range(5)]
    image = np.ones((height, width, 3), np.float32) * np.asarray(palette[0], np.float32)
    quarter = np.zeros((height // 2, width // 2), np.int32)
    for _ in range(int(rng.integers(14, 30))):
        centre = (int(rng.integers(0, width // 2)), int(rng.integers(0, height // 2)))
        axes = tuple(int(a) for a in rng.integers(8, 70, 2))
        angle = float(rng.choice([0, 45, 90]))
        cv2.ellipse(quarter, centre, axes, angle, 0, 360, int(rng.integers(0, 5)), -1)
        points = cv2.boxPoints((centre, (axes[0] * 0.9, axes[1] * 0.9), angle + 45.0))
        cv2.fillPoly(quarter, [points.astype(np.int32)], int(rng.integers(0, 5)))
    whole = np.block([[quarter, quarter[:, ::-1]], [quarter[::-1], quarter[::-1, ::-1]]])
    image = np.asarray(palette, np.float32)[whole]
    for k in range(4):
        inset, thickness = 6 + 14 * k, int(rng.integers(4, 10))
        cv2.rectangle(
            image, (inset, inset), (width - inset, height - inset), palette[(k + 1) % 5], thickness
        )
    return to_uint8(image * (1 + 0.1 * fractal(rng, height, width, 0.35))[..., None])


def wallpaper(rng: Rng, base: Colour, height: int = 512, width: int = 512) -> np.ndarray:
    """Printed paper with a repeated motif on stripes or clouds."""
    image = shaded(rng, base, height, width, 0.04, 0.8)
    ink = np.asarray(base) * rng.uniform(0.55, 0.85) + rng.uniform(-0.05, 0.1, 3)
    repeat = int(rng.choice([4, 6, 8]))
    cell_h, cell_w = height // repeat, width // repeat
    motif = np.zeros((cell_h, cell_w), np.uint8)
    for _ in range(int(rng.integers(4, 9))):
        centre = (int(rng.integers(0, cell_w)), int(rng.integers(0, cell_h)))
        axes = (int(rng.integers(2, cell_w // 4)), int(rng.integers(2, cell_h // 4)))
        cv2.ellipse(motif, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, 2)
    motif = np.maximum(motif, motif[:, ::-1])
    pattern = np.tile(motif, (repeat, repeat)).astype(np.float32)[..., None] / 255
    pattern = np.pad(
        pattern, ((0, height - pattern.shape[0]), (0, width - pattern.shape[1]), (0, 0))
    )
    return to_uint8(image * (1 - pattern) + np.asarray(ink, np.float32) * pattern)


def asphalt(rng: Rng, height: int = 512, width: int = 512) -> np.ndarray:
    """Road surface: stones, patches of repair, cracks."""
    grey = rng.uniform(0.26, 0.42)
    tint = 1 + rng.normal(0, 0.02, 3)
    image = shaded(rng, tuple(grey * tint), height, width, 0.1, 0.3)
    image *= (1 + 0.1 * fractal(rng, height, width, 1.5))[..., None]
    for _ in range(max(1, height * width // 220_000)):
        _repair(rng, image)
    for _ in range(max(2, height * width // 70_000)):
        crack(rng, image)
    return to_uint8(image)


def grass(rng: Rng, height: int = 512, width: int = 512) -> np.ndarray:
    """Lawn with dry and bare places."""
    green = np.asarray(colour(rng, (0.2, 0.32), (0.35, 0.6), (0.28, 0.42)), np.float32)
    earth = np.asarray(colour(rng, (0.06, 0.11), (0.3, 0.5), (0.3, 0.45)), np.float32)
    bare = np.clip(0.5 * fractal(rng, height, width, 1.5) - 0.2, 0, 1)[..., None]
    blades = 1 + 0.24 * fractal(rng, height, width, 0.25)[..., None]
    return to_uint8((green * (1 - bare) + earth * bare) * blades)


def foliage(rng: Rng, height: int = 256, width: int = 256) -> np.ndarray:
    """Leaves drawn over one another in tones of one green."""
    base = np.asarray(colour(rng, (0.17, 0.33), (0.4, 0.7), (0.25, 0.5)), np.float32)
    image = np.ones((height, width, 3), np.float32) * base * 0.4
    for k in range(700):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(4, 11)), int(rng.integers(2, 6)))
        tone = base * (0.5 + 0.8 * k / 700 + rng.normal(0, 0.12)) + rng.normal(0, 0.02, 3)
        cv2.ellipse(image, centre, axes, rng.uniform(0, 180), 0, 360, tuple(map(float, tone)), -1)
    return to_uint8(image * (1 + 0.08 * fractal(rng, height, width, 0.5))[..., None])


def bark(rng: Rng, height: int = 256, width: int = 128) -> np.ndarray:
    """Upright ridges."""
    base = colour(rng, (0.05, 0.1), (0.15, 0.4), (0.25, 0.45))
    ridges = _smeared(fractal(rng, height, width, 0.3), 9.0)
    ridges = ridges / ridges.std()
    return to_uint8(shaded(rng, base, height, width, 0.12, 0.6) * (1 + 0.25 * ridges)[..., None])


def metal(rng: Rng, base: Colour, height: int = 128, width: int = 128) -> np.ndarray:
    """Painted sheet metal with dust and rust."""
    image = shaded(rng, base, height, width, 0.05, 0.9)
    rust = np.clip(fractal(rng, height, width, 1.4) - 1.5, 0, 1)[..., None]
    return to_uint8(image * (1 - rust) + np.array([0.4, 0.24, 0.14], np.float32) * rust)


def poster(rng: Rng, height: int = 256, width: int = 192) -> np.ndarray:
    """A print with shapes and lines of lettering; meant to be hung once."""
    image = np.ones((height, width, 3), np.float32) * np.asarray(
        colour(rng, saturation=(0.0, 0.8), value=(0.3, 0.95)), np.float32
    )
    for _ in range(int(rng.integers(5, 14))):
        ink = colour(rng, saturation=(0.1, 0.9), value=(0.1, 1.0))
        points = rng.integers(0, [width, height], (int(rng.integers(3, 6)), 2)).astype(np.int32)
        if rng.random() < 0.5:
            cv2.fillConvexPoly(image, cv2.convexHull(points), ink)
        else:
            radius = int(rng.integers(6, width // 3))
            thickness = int(rng.choice([-1, 3, 6]))
            cv2.circle(image, tuple(map(int, points[0])), radius, ink, thickness)
    _lettering(rng, image, int(rng.integers(2, 6)))
    border = int(rng.integers(3, 14))
    cv2.rectangle(image, (0, 0), (width - 1, height - 1), colour(rng, value=(0.1, 1)), border)
    return to_uint8(image * (1 + 0.04 * fractal(rng, height, width, 0.9))[..., None])


def picture(rng: Rng, height: int = 256, width: int = 320) -> np.ndarray:
    """A painted landscape: sky, hills, strokes; meant to be hung once."""
    image = np.ones((height, width, 3), np.float32) * np.asarray(
        colour(rng, (0.5, 0.65), (0.1, 0.5), (0.6, 0.95)), np.float32
    )
    horizon = rng.uniform(0.2, 0.5)
    for k in range(6):
        line = horizon + 0.12 * k + 0.06 * fractal(rng, 1, width, 1.3)[0]
        tone = np.asarray(colour(rng, (0.05, 0.45), (0.2, 0.7), (0.2, 0.75)), np.float32)
        below = np.arange(height)[:, None] / height > line[None]
        image[below] = tone
    strokes = np.stack([fractal(rng, height, width, 0.9) for _ in range(3)], axis=-1)
    return to_uint8(image + 0.09 * strokes)


def books(rng: Rng, height: int = 256, width: int = 512) -> np.ndarray:
    """Book spines side by side on one shelf, dark above them."""
    image = np.full((height, width, 3), 0.06, np.float32)
    left = 0
    while left < width:
        right = min(width, left + int(rng.integers(8, 26)))
        top = int(height * rng.uniform(0.03, 0.35))
        cover = np.asarray(colour(rng, saturation=(0.05, 0.8), value=(0.15, 0.9)), np.float32)
        image[top:, left:right] = cover
        for _ in range(int(rng.integers(1, 4))):
            band = int(rng.integers(top, height - 8))
            image[band : band + int(rng.integers(2, 14)), left:right] = colour(rng, value=(0.1, 1))
        image[top:, left : left + 1] *= 0.4
        left = right
    return to_uint8(image * (1 + 0.05 * fractal(rng, height, width, 0.5))[..., None])


def crack(rng: Rng, image: np.ndarray) -> None:
    """Draw a wandering dark crack into a float image."""
    height, width = image.shape[:2]
    steps = int(rng.integers(20, 90))
    heading = np.cumsum(rng.normal(0, 0.35, steps)) + rng.uniform(0, 2 * np.pi)
    start = rng.uniform(0, [width, height])
    points = start + np.cumsum(4 * np.stack([np.cos(heading), np.sin(heading)], axis=-1), axis=0)
    mask = np.zeros((height, width), np.uint8)
    cv2.polylines(mask, [points.astype(np.int32)], False, 255, int(rng.integers(1, 3)))
    image[mask > 0] *= rng.uniform(0.45, 0.7)


def _smeared(noise: np.ndarray, reach: float) -> np.ndarray:
    """Noise drawn out along the height, around the edge where the texture meets itself."""
    return scipy.ndimage.gaussian_filter1d(noise, reach, axis=0, mode="wrap")


def _repair(rng: Rng, image: np.ndarray) -> None:
    """Lay a rectangle of newer or older asphalt, with a sealed edge."""
    height, width = image.shape[:2]
    h, w = int(rng.integers(30, 220)), int(rng.integers(30, max(31, min(width, 200))))
    top, left = int(rng.integers(0, max(1, height - h))), int(rng.integers(0, max(1, width - w)))
    image[top : top + h, left : left + w] *= rng.uniform(0.75, 1.2)
    patch = image[top : top + h, left : left + w]
    for edge in (patch[:2], patch[-2:], patch[:, :2], patch[:, -2:]):
        edge *= 0.75


def _knot(rng: Rng, plank: np.ndarray) -> None:
    height, width = plank.shape[:2]
    centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
    mask = np.zeros((height, width), np.float32)
    axes = (max(2, width // 12), max(4, width // 6))
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 1.0, -1)
    plank *= 1 - 0.45 * cv2.GaussianBlur(mask, (0, 0), 2)[..., None]


def _lettering(rng: Rng, image: np.ndarray, lines: int) -> None:
    height, width = image.shape[:2]
    ink = colour(rng, saturation=(0.0, 0.6), value=(0.0, 1.0))
    letters = list("ABCDEFGHIKLMNOPRSTUVWZ0123456789 ")
    for _ in range(lines):
        text = "".join(rng.choice(letters, int(rng.integers(3, 9))))
        scale = float(rng.uniform(0.4, 1.6)) * width / 200
        place = (int(rng.integers(0, max(1, width // 2))), int(rng.integers(height // 6, height)))
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_DUPLEX, scale, ink, 2, cv2.LINE_AA)
