"""Which indoor materials mirror, and how: a clear coat over a dulled base, or bare metal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from monodepth_ros.worlds.rooms.textures import Image, linear


@dataclass(frozen=True)
class Gloss:
    """Ranges to draw from: roughness (Beckmann alpha), index of refraction (None for metal) and the
    share of the matte reflectance that stays beneath."""

    roughness: tuple[float, float]
    refraction: tuple[float, float] | None
    base: tuple[float, float]


GLOSSES = {
    "floor": Gloss((0.01, 0.07), (1.7, 2.4), (0.25, 0.6)),  # polished stone, sealed wood, epoxy
    "paint_a": Gloss((0.01, 0.05), (1.7, 2.2), (0.2, 0.7)),  # lacquer
    "paint_b": Gloss((0.01, 0.08), (1.6, 2.0), (0.3, 0.8)),
    "stone": Gloss((0.01, 0.04), (1.8, 2.4), (0.2, 0.5)),
    "splashback": Gloss((0.01, 0.04), (1.6, 2.0), (0.4, 0.8)),
    "wood_dark": Gloss((0.03, 0.08), (1.5, 1.8), (0.5, 0.9)),  # varnish
    "plastic": Gloss((0.03, 0.08), (1.5, 1.7), (0.5, 1.0)),
    "ceramic": Gloss((0.01, 0.05), (1.5, 1.8), (0.8, 1.0)),
    "metal": Gloss((0.04, 0.12), None, (0.08, 0.2)),
    "mirror": Gloss((0.005, 0.005), None, (0.02, 0.02)),
}
STILL_MATTE = 1e-3  # a base of exactly 0 would leave no lobe when the specular one is switched off


def darkened(rng: np.random.Generator, kind: str, texture: Image) -> Image:
    """The texture of the base under the gloss of a kind of material."""
    if kind not in GLOSSES:
        return texture
    share = rng.uniform(*GLOSSES[kind].base)
    return np.round(255.0 * (share * linear(texture)) ** (1 / 2.2)).astype(np.uint8)


def glossy_bsdf(
    rng: np.random.Generator, kind: str, base: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The Mitsuba material of a glossy kind, else None; without `base` it only mirrors."""
    if kind not in GLOSSES:
        return None
    gloss = GLOSSES[kind]
    roughness = float(rng.uniform(*gloss.roughness))
    if gloss.refraction is None:
        metal = {
            "type": "roughconductor",
            "material": "Al",
            "alpha": roughness,
            "specular_reflectance": 0.85,
        }
        return metal
    return {
        "type": "roughplastic",
        "distribution": "beckmann",
        "alpha": roughness,
        "int_ior": float(rng.uniform(*gloss.refraction)),
        "specular_reflectance": 1.0,
        "diffuse_reflectance": base or {"type": "rgb", "value": STILL_MATTE},
    }
