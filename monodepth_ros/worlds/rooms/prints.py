"""An atlas of printed things: covers, pages, pictures, packets, screens, spines, patterned cloth.

One texture for all small objects keeps a scene at few meshes; `CELLS` tells which of the 8 x 8
cells hold what.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.worlds.rooms.textures import Colour, Image, fabric, fractal, hue, mix

GRID = 8
CELL = 256
CELLS: dict[str, range] = {
    "cover": range(0, 20),
    "page": range(20, 26),
    "picture": range(26, 40),
    "packet": range(40, 48),
    "screen": range(48, 52),
    "spines": range(52, 58),
    "cloth": range(58, 64),
}
SPINES_PER_CELL = 8


def cell_rectangle(index: int) -> tuple[float, float, float, float]:
    """(u0, v0, u1, v1) of a cell in texture coordinates, inset by a pixel against bleeding.

    v grows downwards: v0, at the foot of the print, is the larger one.
    """
    row, column = divmod(index, GRID)
    inset = 1.5 / (GRID * CELL)
    u, v = column / GRID, row / GRID
    return u + inset, v + 1 / GRID - inset, u + 1 / GRID - inset, v + inset


def spine_rectangle(index: int, spine: int) -> tuple[float, float, float, float]:
    """(u0, v0, u1, v1) of one of the `SPINES_PER_CELL` spines in a "spines" cell."""
    u0, v0, u1, v1 = cell_rectangle(index)
    width = (u1 - u0) / SPINES_PER_CELL
    return u0 + spine * width, v0, u0 + (spine + 1) * width, v1


def make_atlas(rng: np.random.Generator) -> Image:
    """The whole atlas, (GRID * CELL) squared."""
    draw = {
        "cover": cover,
        "page": page,
        "picture": picture,
        "packet": packet,
        "screen": screen,
        "spines": spines,
        "cloth": cloth,
    }
    atlas = np.empty((GRID * CELL, GRID * CELL, 3), np.uint8)
    for kind, cells in CELLS.items():
        for index in cells:
            row, column = divmod(index, GRID)
            atlas[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL] = draw[kind](
                rng
            )
    return atlas


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * channel) for channel in colour)
    return red, green, blue


def _ink(rng: np.random.Generator, ground: Colour) -> Colour:
    """A colour that reads on `ground`."""
    return (
        hue(rng, (0.1, 0.9), (0.0, 0.3)) if sum(ground) > 1.5 else hue(rng, (0.0, 0.4), (0.8, 1.0))
    )


def _plain(colour: Colour) -> Image:
    return np.full((CELL, CELL, 3), _bytes(colour), np.uint8)


def _words(
    rng: np.random.Generator,
    image: Image,
    left: int,
    baseline: int,
    right: int,
    scale: float,
    colour: Colour,
) -> None:
    """One line of letters, set word by word until `right`."""
    letters = np.array(list("aabcdeeefghiiklmnnoooprrssttuvwyABCEGHMRST"))
    while left < right - 12:
        word = "".join(rng.choice(letters, int(rng.integers(2, 9))))
        (width, _), _ = cv2.getTextSize(word, cv2.FONT_HERSHEY_DUPLEX, scale, 1)
        if left + width > right:
            return
        thickness = 2 if scale > 0.8 else 1
        cv2.putText(
            image,
            word,
            (left, baseline),
            cv2.FONT_HERSHEY_DUPLEX,
            scale,
            _bytes(colour),
            thickness,
            cv2.LINE_AA,
        )
        left += width + int(14 * scale) + 2


def _shapes(rng: np.random.Generator, image: Image, count: int) -> None:
    for _ in range(count):
        colour, (x, y) = _bytes(hue(rng, (0.2, 1.0), (0.2, 1.0))), rng.integers(0, CELL, 2).tolist()
        size = int(rng.integers(12, 110))
        kind = int(rng.integers(3))
        if kind == 0:
            cv2.circle(image, (x, y), size // 2, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(image, (x, y), (x + size, y + int(rng.integers(6, 80))), colour, -1)
        else:
            corners = (rng.normal(0.0, size / 2, (4, 2)) + (x, y)).astype(np.int32)
            cv2.fillPoly(image, [corners], colour, cv2.LINE_AA)


def _photograph(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Light, shade and things: a stand-in for a photograph."""
    scene = mix(
        hue(rng, (0.2, 0.8), (0.0, 0.3)),
        hue(rng, (0.1, 0.8), (0.7, 1.0)),
        fractal(rng, 1.5, size=CELL),
    )
    second = mix(
        hue(rng, (0.2, 0.9), (0.1, 0.5)),
        hue(rng, (0.1, 0.8), (0.5, 1.0)),
        fractal(rng, 1.1, size=CELL),
    )
    horizon = np.linspace(0, 1, CELL)[:, None] > rng.uniform(0.3, 0.8) + 0.3 * (
        fractal(rng, 1.8, size=CELL)[:1] - 0.5
    )
    image = np.round(255 * np.clip(np.where(horizon[..., None], second, scene), 0, 1)).astype(
        np.uint8
    )
    _shapes(rng, image, int(rng.integers(0, 6)))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def cover(rng: np.random.Generator) -> Image:
    """The cover of a book or magazine: ground, photograph, title, small print."""
    ground = hue(rng, (0.1, 0.9), (0.15, 0.95))
    image = _plain(ground)
    ink = _ink(rng, ground)
    if rng.random() < 0.75:
        top, height = int(rng.integers(20, 100)), int(rng.integers(80, 150))
        image[top : top + height, 16:240] = _photograph(rng, height, 224)
    else:
        _shapes(rng, image, 8)
    _words(rng, image, 14, 42, 244, rng.uniform(1.0, 1.6), ink)
    for baseline in range(int(rng.integers(180, 220)), 250, 16):
        _words(rng, image, 18, baseline, int(rng.integers(120, 240)), 0.4, ink)
    return image


def page(rng: np.random.Generator) -> Image:
    """A printed sheet: heading, text, sometimes a figure."""
    image = _plain((0.93, 0.93, 0.9))
    _words(rng, image, 20, 30, 220, 0.8, (0.1, 0.1, 0.15))
    figure = int(rng.integers(60, 180)) if rng.random() < 0.6 else CELL
    for baseline in range(48, 250, 11):
        if not figure - 8 < baseline < figure + 70:
            _words(rng, image, 20, baseline, int(rng.integers(150, 240)), 0.3, (0.15, 0.15, 0.15))
    if figure < CELL:
        image[figure : figure + 60, 40:216] = _photograph(rng, 60, 176)
    return image


def picture(rng: np.random.Generator) -> Image:
    """A framed picture or poster."""
    frame = hue(rng, (0.0, 0.5), (0.05, 0.9))
    image = _plain(frame)
    border = int(rng.integers(6, 22))
    inner = CELL - 2 * border
    image[border:-border, border:-border] = _photograph(rng, inner, inner)
    if rng.random() < 0.4:
        _words(
            rng,
            image,
            border + 10,
            CELL - border - 16,
            CELL - border,
            1.2,
            hue(rng, (0, 1), (0.7, 1)),
        )
    return image


def packet(rng: np.random.Generator) -> Image:
    """Food packets and parcels: bold shapes and a brand."""
    ground = hue(rng, (0.3, 1.0), (0.4, 1.0))
    image = _plain(ground)
    _shapes(rng, image, 10)
    for baseline in (70, 130, 210):
        _words(rng, image, 10, baseline, 250, rng.uniform(0.7, 1.5), _ink(rng, ground))
    return image


def screen(rng: np.random.Generator) -> Image:
    """A monitor: windows, code, a picture, a bezel."""
    image = _plain(hue(rng, (0.2, 0.7), (0.15, 0.5)))
    for _ in range(3):
        left, top = rng.integers(8, 130, 2).tolist()
        light = rng.random() < 0.5
        colour: Colour = (0.92, 0.93, 0.95) if light else (0.12, 0.13, 0.16)
        cv2.rectangle(image, (left, top), (left + 110, top + 100), _bytes(colour), -1)
        cv2.rectangle(
            image, (left, top), (left + 110, top + 8), _bytes(hue(rng, (0.3, 0.8), (0.3, 0.8))), -1
        )
        for baseline in range(top + 20, top + 98, 9):
            indent = left + 4 + 8 * int(rng.integers(4))
            _words(rng, image, indent, baseline, left + 105, 0.28, _ink(rng, colour))
    image[:8], image[-8:], image[:, :6], image[:, -6:] = 15, 15, 15, 15
    return image


def spines(rng: np.random.Generator) -> Image:
    """Upright book spines side by side, each with a turned title."""
    image = np.empty((CELL, CELL, 3), np.uint8)
    width = CELL // SPINES_PER_CELL
    for column in range(SPINES_PER_CELL):
        ground = hue(rng, (0.1, 0.9), (0.15, 0.95))
        flat = np.full((width, CELL, 3), _bytes(ground), np.uint8)
        _words(
            rng,
            flat,
            int(rng.integers(20, 60)),
            width - 9,
            220,
            rng.uniform(0.5, 0.8),
            _ink(rng, ground),
        )
        band = int(rng.integers(4, 40))
        flat[:, band : band + 6] = _bytes(_ink(rng, ground))
        flat[:2], flat[-2:] = 20, 20
        image[:, column * width : (column + 1) * width] = flat.transpose(1, 0, 2)[::-1]
    return image


def cloth(rng: np.random.Generator) -> Image:
    """Patterned cloth for cushions, towels and throws."""
    return fabric(rng)[:CELL, :CELL]
