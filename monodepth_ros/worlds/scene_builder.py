"""Gathers the geometry of a place by material and hands it to Mitsuba."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monodepth_ros.worlds.mesh import Mesh, shape
from monodepth_ros.worlds.mitsuba_backend import load_mitsuba
from monodepth_ros.worlds.textures import fractal, material


@dataclass
class SceneBuilder:
    """Meshes and materials by name; `build` gives the Mitsuba scene dictionary.

    One mesh for each material keeps the number of shapes, and with it the rendering time, low.
    """

    meshes: dict[str, Mesh] = field(default_factory=dict)
    materials: dict[str, Any] = field(default_factory=dict)
    uv_sizes: dict[str, tuple[float, float]] = field(default_factory=dict)
    emitters: dict[str, Any] = field(default_factory=dict)

    def define(
        self, name: str, look: np.ndarray | dict[str, Any], uv_size: tuple[float, float] = (1, 1)
    ) -> Mesh:
        """A material and its empty mesh. `look` is a texture (matte) or a Mitsuba BSDF dictionary;
        `uv_size` is how many metres wide and high its texture is."""
        self.materials[name] = material(look) if isinstance(look, np.ndarray) else look
        self.uv_sizes[name] = uv_size
        self.meshes[name] = Mesh()
        return self.meshes[name]

    def __getitem__(self, name: str) -> Mesh:
        return self.meshes[name]

    def build(self) -> dict[str, Any]:
        """The scene dictionary: one shape for each material in use, and the emitters."""
        shapes = {
            name: shape(mesh, self.materials[name], self.uv_sizes[name])
            for name, mesh in self.meshes.items()
            if mesh.count
        }
        return {**shapes, **self.emitters}


def daylight(rng: np.random.Generator) -> dict[str, Any]:
    """Sun and a sky with clouds, of random hour and weather; a world with z up."""
    mi = load_mitsuba()
    overcast = rng.random() < 0.25
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(25, 65))
    to_sun = np.array(
        [
            np.cos(azimuth) * np.cos(elevation),
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
        ]
    )
    warmth = rng.uniform(0.0, 0.25)
    strength = 0.3 if overcast else rng.uniform(2.2, 3.6)
    sky = _sky(rng, cover=1.0 if overcast else rng.uniform(-0.8, 0.6))
    return {
        "sun": {
            "type": "directional",
            "direction": [float(-c) for c in to_sun],
            "irradiance": {
                "type": "rgb",
                "value": [strength, strength * (1 - 0.4 * warmth), strength * (1 - warmth)],
            },
        },
        "sky": {
            "type": "envmap",
            "bitmap": mi.Bitmap(sky),
            # Mitsuba's map has y up.
            "to_world": mi.ScalarTransform4f().rotate([1, 0, 0], 90),
        },
    }


def _sky(rng: np.random.Generator, cover: float, height: int = 128, width: int = 256) -> np.ndarray:
    """Radiance of the sky, latitude-longitude, zenith first; a higher `cover` is cloudier."""
    latitude = np.linspace(np.pi / 2, -np.pi / 2, height, dtype=np.float32)[:, None, None]
    above = np.clip(np.sin(latitude), 0, 1)
    zenith = np.array([0.22, 0.42, 0.85], np.float32)
    horizon = np.array([0.75, 0.85, 0.98], np.float32)
    blue = zenith + (horizon - zenith) * (1 - above) ** 3
    clouds = fractal(rng, height, width, 1.3, 2.0) + cover
    thick = np.clip(0.8 * clouds, 0, 1)[..., None]
    grey = (0.85 + 0.18 * fractal(rng, height, width, 1.2))[..., None]
    sky = blue * (1 - thick) + grey * np.array([1.0, 1.0, 1.02], np.float32) * thick
    ground = np.array([0.22, 0.21, 0.19], np.float32)
    return np.where(latitude > 0, sky, ground).clip(0.02, None).astype(np.float32)
