"""Program-made indoor textures: sRGB uint8 (height, width, 3), periodic where they repeat.

Photometric matching needs gradients everywhere, so even "plain" surfaces carry mottling, wear and
speckle of the strength that a camera sees on real ones.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

Image = NDArray[np.uint8]
Field = NDArray[Any]
Colour = tuple[float, float, float]

SIZE = 512


def linear(texture: Image) -> NDArray[np.float32]:
    """Linear light of an sRGB texture, by its usual power law."""
    return np.power(texture.astype(np.float32) / 255.0, 2.2, dtype=np.float32)


def fractal(
    rng: np.random.Generator, exponent: float = 1.0, stretch: float = 1.0, size: int = SIZE
) -> Field:
    """Periodic noise of spectrum 1/f**exponent in [0, 1]; `stretch` > 1 draws it out along x."""
    shape = (size, size // 2 + 1)
    spectrum = rng.standard_normal(shape, np.float32) + 1j * rng.standard_normal(shape, np.float32)
    noise = fft.irfft2(spectrum * _amplitude(exponent, stretch, size), s=(size, size))
    return np.clip(0.5 + noise / (5.0 * noise.std()), 0.0, 1.0)


@lru_cache(maxsize=64)
def _amplitude(exponent: float, stretch: float, size: int) -> Field:
    """1/f**exponent over the half spectrum of a real image, without its mean."""
    fy = np.fft.fftfreq(size)[:, None] * size
    fx = np.fft.rfftfreq(size)[None, :] * size * stretch
    amplitude = 1.0 / np.maximum(np.hypot(fy, fx), 1.0) ** exponent
    amplitude[0, 0] = 0.0
    return amplitude.astype(np.float32)


def mix(first: Colour, second: Colour, weight: Field) -> Field:
    """Colours between `first` and `second`; (h, w) weights give (h, w, 3)."""
    return np.asarray(first) + (np.asarray(second) - np.asarray(first)) * weight[..., None]


def shade(colour: Colour, factor: float) -> Colour:
    """The colour times a factor, kept in [0, 1]."""
    red, green, blue = (min(1.0, max(0.0, channel * factor)) for channel in colour)
    return red, green, blue


def hue(
    rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> Colour:
    """A colour of random hue."""
    hsv = np.array(
        [[[rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]]], np.float32
    )
    red, green, blue = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0]
    return float(red), float(green), float(blue)


def finish(
    rng: np.random.Generator, picture: Field, wear: float = 0.06, speckle: float = 0.03
) -> Image:
    """Adds blotches (wear) and fine grain (speckle) and quantises."""
    size = picture.shape[0]
    blotch = fractal(rng, 1.4, size=size) - 0.5
    grain = fractal(rng, 0.3, size=size) - 0.5
    factor = 1.0 + 4.0 * wear * blotch + 4.0 * speckle * grain
    return np.round(255.0 * np.clip(picture * factor[..., None], 0.0, 1.0)).astype(np.uint8)


def wood_colour(rng: np.random.Generator) -> Colour:
    """A stain between pale birch and dark walnut."""
    stains: list[Colour] = [
        (0.80, 0.64, 0.44),
        (0.70, 0.50, 0.30),
        (0.55, 0.35, 0.20),
        (0.36, 0.24, 0.16),
        (0.86, 0.78, 0.66),
    ]
    return shade(stains[rng.integers(len(stains))], rng.uniform(0.85, 1.15))


def wood_field(rng: np.random.Generator, colour: Colour) -> Field:
    """Grain along x: fine fibres, and growth rings bent by slow noise."""
    fibres = fractal(rng, 0.9, stretch=14.0)
    rows = np.arange(SIZE)[:, None] / SIZE
    bend = fractal(rng, 1.8, stretch=4.0)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (rng.integers(3, 8) * rows + 2.5 * bend))
    weight = np.clip(0.65 * fibres + 0.35 * rings, 0.0, 1.0)
    return mix(shade(colour, 0.55), shade(colour, 1.2), weight)


def wood(rng: np.random.Generator) -> Image:
    """A sawn board."""
    return finish(rng, wood_field(rng, wood_colour(rng)))


def planks(rng: np.random.Generator) -> Image:
    """Floor boards of differing tone with dark joints."""
    colour, rows = wood_colour(rng), int(rng.choice([4, 8]))
    grain, height = wood_field(rng, colour), SIZE // rows
    picture = np.empty_like(grain)
    for row in range(rows):
        strip = np.roll(grain, (rng.integers(SIZE), rng.integers(SIZE)), (0, 1))[:height]
        joints = np.sort(rng.choice(np.arange(0, SIZE, 64), 2, replace=False))
        tone = np.ones(SIZE)
        tone[joints[0] : joints[1]] = rng.uniform(0.75, 1.1)
        strip = strip * (tone * rng.uniform(0.85, 1.1))[None, :, None]
        strip[:, joints[:, None] + np.arange(2)] *= 0.45
        strip[:2] *= 0.45
        picture[row * height : (row + 1) * height] = strip
    return finish(rng, picture)


def carpet(rng: np.random.Generator) -> Image:
    """Looped pile: fine flecks, sometimes in broken stripes."""
    colour = hue(rng, (0.1, 0.6), (0.3, 0.6))
    weight = fractal(rng, 0.35)
    if rng.random() < 0.5:
        stripes = fractal(rng, 0.6, stretch=30.0)
        weight = 0.4 * weight + 0.6 * stripes
    return finish(rng, mix(shade(colour, 0.45), shade(colour, 1.5), weight), wear=0.08)


def tiles(rng: np.random.Generator) -> Image:
    """Square tiles: tone differs from tile to tile, veined glaze, grout lines."""
    count = int(rng.choice([2, 4, 8]))
    base = hue(rng, (0.0, 0.35), (0.5, 0.9))
    accent = hue(rng, (0.1, 0.6), (0.3, 0.8)) if rng.random() < 0.5 else shade(base, 0.7)
    side = SIZE // count
    checker = (np.indices((count, count)).sum(0) % 2) * float(rng.random() < 0.4)
    tone = np.clip(checker + rng.uniform(0.0, 0.45, (count, count)), 0.0, 1.0)
    picture = mix(base, accent, np.kron(tone, np.ones((side, side))))
    veins = np.abs(fractal(rng, 1.3) - 0.5)
    picture *= (0.8 + 0.2 * np.clip(veins * 8.0, 0.0, 1.0))[..., None]
    line = np.arange(SIZE) % side < 4
    grout = shade((0.7, 0.68, 0.64), rng.uniform(0.5, 1.2))
    picture[line, :] = grout
    picture[:, line] = grout
    return finish(rng, picture, wear=0.04)


def plaster(rng: np.random.Generator) -> Image:
    """Painted plaster: trowel marks and stains on a light colour."""
    colour = hue(rng, (0.0, 0.2), (0.62, 0.92))
    trowel = 0.6 * fractal(rng, 1.1) + 0.4 * fractal(rng, 0.8, stretch=3.0)
    return finish(rng, mix(shade(colour, 0.78), shade(colour, 1.12), trowel), wear=0.05)


def wallpaper(rng: np.random.Generator) -> Image:
    """A repeated motif (stripes, dots, lattice or rosettes) on plain paper."""
    ground = hue(rng, (0.05, 0.4), (0.55, 0.9))
    figure = hue(rng, (0.1, 0.6), (0.35, 0.9))
    v, u = np.indices((SIZE, SIZE)) * (2 * np.pi / SIZE)
    n = int(rng.choice([4, 6, 8, 12]))
    motif = int(rng.integers(4))
    if motif == 0:
        wave = np.sin(n * u) + 0.5 * np.sin(3 * n * u)
    elif motif == 1:
        wave = np.cos(n * u) * np.cos(n * v) * 2.0 - 0.8
    elif motif == 2:
        wave = np.abs(np.sin(n * (u + v) / 2)) + np.abs(np.sin(n * (u - v) / 2)) - 1.2
    else:
        x, y = (n * u / np.pi) % 2 - 1, (n * v / np.pi) % 2 - 1
        wave = np.cos(int(rng.integers(3, 8)) * np.arctan2(y, x)) + 1.0 - 3.0 * np.hypot(x, y)
    weight = np.clip(0.5 + 2.0 * wave, 0.0, 1.0) * rng.uniform(0.4, 0.9)
    return finish(rng, mix(ground, figure, weight), wear=0.04)


def bricks(rng: np.random.Generator) -> Image:
    """Running bond; brick tone varies, mortar is rough."""
    base: Colour = (0.58, 0.33, 0.25) if rng.random() < 0.6 else (0.80, 0.78, 0.74)
    rows, columns = 12, 4
    height, width = SIZE // rows, SIZE // columns
    picture = np.empty((SIZE, SIZE, 3))
    mortar = np.asarray(shade((0.72, 0.70, 0.66), rng.uniform(0.7, 1.1)))
    picture[:] = mortar
    for row in range(rows + 1):
        for column in range(columns):
            tone = np.asarray(base) * rng.uniform(0.7, 1.2) * rng.uniform(0.95, 1.05, 3)
            left = column * width + (row % 2) * width // 2
            span = (np.arange(left + 3, left + width - 2)) % SIZE
            picture[row * height + 3 : (row + 1) * height - 2, span] = tone
    return finish(rng, picture, wear=0.12, speckle=0.08)


def fabric(rng: np.random.Generator) -> Image:
    """Woven cloth: plain, striped, plaid or dotted, with visible threads."""
    ground = hue(rng, (0.1, 0.7), (0.3, 0.85))
    figure = hue(rng, (0.05, 0.6), (0.3, 0.95))
    v, u = np.indices((SIZE, SIZE)) / SIZE
    n = int(rng.choice([4, 6, 10]))
    kind = int(rng.integers(4))
    weight = np.zeros((SIZE, SIZE))
    if kind in (1, 2):
        weight += 0.5 * ((n * u) % 1 < rng.uniform(0.15, 0.5))
    if kind == 2:
        weight += 0.5 * ((n * v) % 1 < rng.uniform(0.15, 0.5))
    if kind == 3:
        weight += np.hypot((n * u) % 1 - 0.5, (n * v) % 1 - 0.5) < rng.uniform(0.15, 0.35)
    threads = 0.9 + 0.1 * np.sin(2 * np.pi * 64 * u) * np.sin(2 * np.pi * 64 * v)
    return finish(rng, mix(ground, figure, weight) * threads[..., None], wear=0.09, speckle=0.06)


def stone(rng: np.random.Generator) -> Image:
    """Granite or marble worktop."""
    if rng.random() < 0.5:
        dark = hue(rng, (0.0, 0.2), (0.08, 0.45))
        flecks = fractal(rng, 0.5) ** 2
        return finish(rng, mix(dark, shade(dark, 4.0), flecks), wear=0.05, speckle=0.1)
    veins = np.exp(-np.abs(fractal(rng, 1.5) - 0.5) * rng.uniform(20, 50))
    return finish(rng, mix((0.85, 0.84, 0.82), (0.45, 0.42, 0.42), veins), wear=0.05)


def paint(rng: np.random.Generator) -> Image:
    """A painted or lacquered panel: strong colour, faint brush marks."""
    strong = rng.random() < 0.6
    colour = hue(rng, (0.4, 0.85), (0.35, 0.75)) if strong else hue(rng, (0.0, 0.12), (0.65, 0.92))
    return finish(
        rng, mix(shade(colour, 0.85), shade(colour, 1.1), fractal(rng, 0.9, stretch=5.0)), 0.04
    )


def trim(rng: np.random.Generator) -> Image:
    """White-painted joinery, a little yellowed and scuffed."""
    return finish(
        rng, mix((0.72, 0.71, 0.68), (0.93, 0.92, 0.9), fractal(rng, 0.9, stretch=4.0)), 0.06, 0.04
    )


def plastic(rng: np.random.Generator) -> Image:
    """Dark moulded plastic or rubber."""
    colour = hue(rng, (0.0, 0.25), (0.10, 0.35))
    return finish(rng, mix(shade(colour, 0.7), shade(colour, 1.4), fractal(rng, 0.7)), 0.06, 0.06)


def ceramic(rng: np.random.Generator) -> Image:
    """Glazed white with coloured bands."""
    colour = hue(rng, (0.2, 0.8), (0.3, 0.9))
    bands = (np.arange(SIZE) // 64 % 4 == 0).astype(float)[:, None] * np.ones((1, SIZE))
    return finish(rng, mix((0.88, 0.87, 0.84), colour, bands), 0.05)


def metal(rng: np.random.Generator) -> Image:
    """Brushed steel."""
    return finish(
        rng, mix((0.50, 0.50, 0.52), (0.80, 0.80, 0.80), fractal(rng, 0.5, stretch=25.0)), 0.05
    )


def cardboard(rng: np.random.Generator) -> Image:
    """Corrugated board with printing and tape."""
    flutes = 0.7 * fractal(rng, 0.9) + 0.3 * fractal(rng, 0.4, stretch=20.0)
    picture = mix((0.56, 0.42, 0.27), (0.76, 0.62, 0.44), flutes)
    top = int(rng.integers(80, 400))
    picture[top : top + 40] *= (1.15, 1.08, 0.95)
    for _ in range(4):
        row, column = rng.integers(0, SIZE - 80, 2)
        picture[row : row + rng.integers(10, 60), column : column + rng.integers(20, 80)] *= 0.45
    return finish(rng, picture)


def leaf(rng: np.random.Generator) -> Image:
    """Foliage: veins along x on mottled green."""
    rows = np.abs(np.arange(SIZE) / SIZE - 0.5)[:, None]
    ribs = np.abs(np.sin(2 * np.pi * (12 * np.arange(SIZE)[None] / SIZE - 6 * rows)))
    green = (0.16, rng.uniform(0.3, 0.45), rng.uniform(0.08, 0.2))
    weight = np.clip(0.5 * fractal(rng, 1.0) + 0.3 * ribs + 0.4 * (rows < 0.02), 0.0, 1.0)
    return finish(rng, mix(shade(green, 0.6), shade(green, 1.7), weight), 0.1)


def ceiling(rng: np.random.Generator) -> Image:
    """Rough-cast or panelled ceiling, nearly white."""
    picture = mix(
        (0.70, 0.70, 0.68), (0.95, 0.95, 0.93), 0.6 * fractal(rng, 0.6) + 0.4 * fractal(rng, 1.2)
    )
    if rng.random() < 0.6:
        seam = np.arange(SIZE) % (SIZE // 2) < 5
        picture[seam, :] *= 0.6
        picture[:, seam] *= 0.6
    return finish(rng, picture, 0.05, 0.05)


def outdoors(rng: np.random.Generator) -> Image:
    """What a window shows: sky, roofs and trees, out of focus."""
    rows = np.linspace(0.0, 1.0, SIZE)[:, None] * np.ones((1, SIZE))
    picture = mix(
        (0.75, 0.85, 1.0), (1.0, 1.0, 0.98), np.clip(0.6 * fractal(rng, 1.6) + 0.5 * rows, 0.0, 1.0)
    )
    skyline = 0.45 + 0.25 * (fractal(rng, 1.8)[0] - 0.5)
    steps = np.repeat(rng.uniform(0.35, 0.75, 16), SIZE // 16)
    buildings = rows > steps[None]
    trees = rows > skyline[None] + 0.15 * (fractal(rng, 0.9) - 0.5)
    facade = mix((0.45, 0.40, 0.36), (0.75, 0.70, 0.64), fractal(rng, 0.8))
    picture = np.where(buildings[..., None], facade, picture)
    picture = np.where(
        trees[..., None], mix((0.2, 0.28, 0.12), (0.5, 0.6, 0.3), fractal(rng, 0.9)), picture
    )
    return finish(rng, cv2.GaussianBlur(picture, (0, 0), 3.0), 0.03)


HARD_FLOORS: tuple[Callable[[np.random.Generator], Image], ...] = (planks, tiles, stone, tiles)
FLOORS: tuple[Callable[[np.random.Generator], Image], ...] = (planks, carpet, tiles)
WALLS: tuple[Callable[[np.random.Generator], Image], ...] = (plaster, plaster, wallpaper, bricks)
