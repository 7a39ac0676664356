from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from monodepth_ros.worlds import textures

GREY = (0.5, 0.5, 0.5)
DRAW: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "plaster": lambda rng: textures.plaster(rng, GREY, 128, 128),
    "concrete": lambda rng: textures.concrete(rng, 128, 128),
    "bricks": lambda rng: textures.bricks(rng, GREY, 128, 128),
    "tiles": lambda rng: textures.tiles(rng, GREY, 128, 128),
    "cobbles": lambda rng: textures.cobbles(rng, 128, 128, 8),
    "wood": lambda rng: textures.wood(rng, GREY, 128, 128),
    "fabric": lambda rng: textures.fabric(rng, GREY, 128, 128),
    "carpet": lambda rng: textures.carpet(rng, 128, 128),
    "wallpaper": lambda rng: textures.wallpaper(rng, GREY, 128, 128),
    "asphalt": lambda rng: textures.asphalt(rng, 256, 256),
    "grass": lambda rng: textures.grass(rng, 128, 128),
    "foliage": lambda rng: textures.foliage(rng, 128, 128),
    "bark": lambda rng: textures.bark(rng, 128, 64),
    "metal": lambda rng: textures.metal(rng, GREY),
    "poster": lambda rng: textures.poster(rng, 128, 96),
    "picture": lambda rng: textures.picture(rng, 128, 160),
    "books": lambda rng: textures.books(rng, 128, 256),
}


@pytest.mark.parametrize("name", DRAW)
def test_texture_is_drawn_from_the_generator_alone(name: str) -> None:
    first, again, other = (DRAW[name](np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[2] == 3
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("name", DRAW)
def test_texture_has_detail_at_every_scale(name: str) -> None:
    """After each halving of its size something must be left to match."""
    image = DRAW[name](np.random.default_rng(3)).astype(np.float32).mean(axis=2)
    for _ in range(4):
        gradient = np.abs(np.diff(image, axis=0)).mean() + np.abs(np.diff(image, axis=1)).mean()
        assert gradient > 1.0
        h, w = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        image = image[:h, :w].reshape(h // 2, 2, w // 2, 2).mean(axis=(1, 3))


@pytest.mark.parametrize("name", ["plaster", "grass", "metal", "bark"])
def test_tiling_texture_has_no_seam(name: str) -> None:
    image = DRAW[name](np.random.default_rng(4)).astype(np.float32)
    for axis in (0, 1):
        inside = np.abs(np.diff(image, axis=axis)).mean()
        seam = np.abs(np.take(image, 0, axis) - np.take(image, -1, axis)).mean()
        assert seam < 1.5 * inside


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_fractal_noise_has_the_spectrum_of_its_slope(slope: float) -> None:
    rng = np.random.default_rng(0)
    power = np.zeros((128, 128))
    for _ in range(20):
        noise = textures.fractal(rng, 128, 128, slope)
        assert noise.std() == pytest.approx(1.0, rel=1e-3)
        power += np.abs(np.fft.fft2(noise)) ** 2
    frequency = 128 * np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128)))
    band = (frequency > 3) & (frequency < 50)
    fitted = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert fitted == pytest.approx(-2 * slope, abs=0.1)  # power is the square of amplitude
