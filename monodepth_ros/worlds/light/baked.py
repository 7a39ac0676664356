"""Light that is computed once for a still scene and stored at the vertices of its meshes.

Matte surfaces look the same from everywhere, so the light that falls on them is traced once, and
not anew and noisily in every frame (as in Ward, Rubinstein and Clear 1988, "A ray tracing solution
for diffuse interreflection"). Frames then only trace what depends on the view: visibility and
mirroring. With the emitter `baked` a surface sends out reflectance * vertex_light, where
vertex_light is irradiance / pi.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import sparse

from monodepth_ros.worlds.assembly import Array, Patch
from monodepth_ros.worlds.mitsuba_backend import load_mitsuba

BOUNCES = 4
DIRECT_SAMPLES, GATHER_SAMPLES = 32, 16  # rays from each vertex: to the lights, and at every bounce
RAYS_PER_LAUNCH = 2**21
SMOOTHING = 2
LIFT = 5e-4  # metres that rays start above the surface that they gather for


def tessellated(patch: Patch, edge: float) -> Patch:
    """A lone quadrilateral in pieces no longer than `edge` metres; other patches unchanged."""
    if len(patch.vertices) != 4:
        return patch
    a, b, _, d = patch.vertices
    columns, rows = (1 + int(math.dist(end, a) / edge) for end in (b, d))
    if rows == columns == 1:
        return patch
    weights, faces = _lattice(rows, columns)
    return Patch(
        patch.material, weights @ patch.vertices, weights @ patch.normals, weights @ patch.uv, faces
    )


@lru_cache(maxsize=256)
def _lattice(rows: int, columns: int) -> tuple[Array, Array]:
    """Bilinear weights (n, 4) of a quadrilateral's corners at its inner points, and triangles."""
    s, t = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    weights = np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t], -1).reshape(-1, 4)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    lower = np.stack([corner, corner + 1, corner + columns + 2], -1)
    upper = np.stack([corner, corner + columns + 2, corner + columns + 1], -1)
    return weights, np.concatenate([lower, upper])


def bake(
    surfaces: dict[str, Any], lights: dict[str, Any], patches: dict[str, Patch], seed: int
) -> dict[str, Array]:
    """vertex_light (n, 3) of every patch: direct light, then what lit surfaces send on, again and
    again.

    `surfaces` are meshes of all patches with the emitter `baked`; `lights` are the meshes that
    shine by themselves, and stand in for those of the same name.
    """
    mi = load_mitsuba()
    lit = mi.load_dict({"type": "scene", **surfaces, **lights})
    dark = {"type": "constant", "radiance": 0.0}  # a scene needs a light that can be sampled
    gather_scene = mi.load_dict({"type": "scene", "dark": dark, **surfaces})
    points = _Points(patches)
    direct = points.split(
        _average(
            points,
            DIRECT_SAMPLES,
            seed,
            lambda start, normal, sampler: _direct(lit, start, normal, sampler),
        )
    )
    direct = {name: _smoothed(patches[name], light) for name, light in direct.items()}
    light = direct
    for bounce in range(1, BOUNCES):
        for name, mesh in surfaces.items():
            parameters = mi.traverse(mesh)
            if "vertex_light" in parameters:
                parameters["vertex_light"] = light[name].astype(np.float32).ravel()
                parameters.update()
        gathered = points.split(
            _average(
                points,
                GATHER_SAMPLES,
                seed + bounce,
                lambda start, normal, sampler: _gathered(gather_scene, start, normal, sampler),
            )
        )
        light = {name: direct[name] + _smoothed(patches[name], gathered[name]) for name in patches}
    return light


class _Points:
    """Where light is gathered: at the vertices, or up to half way to the middle of a face there."""

    def __init__(self, patches: dict[str, Patch]) -> None:
        mi = load_mitsuba()
        self.names, self.ends = (
            list(patches),
            np.cumsum([len(patch.vertices) for patch in patches.values()]),
        )
        self.count = int(self.ends[-1])
        columns = (
            np.concatenate([patch.vertices for patch in patches.values()]),
            np.concatenate([patch.normals for patch in patches.values()]),
            np.concatenate([_towards_face(patch) for patch in patches.values()]),
        )
        self.columns = [mi.Vector3f(column.T.astype(np.float32)) for column in columns]

    def split(self, values: Array) -> dict[str, Array]:
        """Rows (count, 3) by patch."""
        return dict(zip(self.names, np.split(values, self.ends[:-1]), strict=True))


def _average(
    points: _Points, samples: int, seed: int, radiance: Callable[[Any, Any, Any], Any]
) -> Array:
    """Mean (n, 3) of `radiance(start, normal, sampler)` over random places beside each vertex."""
    mi = load_mitsuba()
    import drjit as dr

    sampler = mi.load_dict({"type": "independent"})
    rounds = -(-samples * points.count // RAYS_PER_LAUNCH)
    each = -(-samples // rounds)
    total = np.zeros((points.count, 3))
    for number in range(rounds):
        sampler.seed(1000 * seed + number, each * points.count)
        vertex = dr.arange(mi.UInt32, each * points.count) // each
        point, normal, inward = (
            dr.gather(mi.Vector3f, column, vertex) for column in points.columns
        )
        start = mi.Point3f(point + inward * (0.03 + 0.47 * sampler.next_1d()) + LIFT * normal)
        total += np.array(dr.block_sum(radiance(start, normal, sampler), each)).T
    return total / (rounds * each)


def _direct(scene: Any, start: Any, normal: Any, sampler: Any) -> Any:
    """One light sample of the irradiance over pi that comes straight from the lights."""
    mi = load_mitsuba()
    import drjit as dr

    here = dr.zeros(mi.Interaction3f, dr.width(start))
    here.p, here.n = start, mi.Normal3f(normal)
    sample, weight = scene.sample_emitter_direction(here, sampler.next_2d(), True)
    return weight * dr.maximum(dr.dot(sample.d, normal), 0.0) / dr.pi


def _gathered(scene: Any, start: Any, normal: Any, sampler: Any) -> Any:
    """One cosine-weighted sample of the irradiance over pi that comes from lit surfaces."""
    mi = load_mitsuba()

    direction = mi.Frame3f(normal).to_world(mi.warp.square_to_cosine_hemisphere(sampler.next_2d()))
    hit = scene.ray_intersect(mi.Ray3f(start, direction))
    return hit.emitter(scene).eval(hit, hit.is_valid())


def _smoothed(patch: Patch, light: Array) -> Array:
    """Light averaged with the neighbours' `SMOOTHING` times: takes out most sampling noise."""
    count = len(patch.vertices)
    starts, ends = (
        patch.faces[:, order].ravel() for order in ([0, 1, 2, 1, 2, 0], [1, 2, 0, 0, 1, 2])
    )
    links = sparse.csr_matrix((np.ones(len(starts)), (starts, ends)), shape=(count, count))
    links.data[:] = 1.0
    links = links + sparse.identity(count)
    average = sparse.diags(1.0 / np.asarray(links.sum(axis=1)).ravel()) @ links
    for _ in range(SMOOTHING):
        light = average @ light
    return light


def _towards_face(patch: Patch) -> Array:
    """From every vertex to the middle of a face that it belongs to, (n, 3).

    Light is gathered a little inside faces, not on the edges where they meet other things.
    """
    middles = patch.vertices[patch.faces].mean(axis=1)
    face = np.zeros(len(patch.vertices), int)
    for corner in patch.faces.T:
        face[corner] = np.arange(len(patch.faces))
    return middles[face] - patch.vertices


@lru_cache(maxsize=1)
def register_baked_emitter() -> None:
    """Makes the Mitsuba emitter `baked`, with a texture `reflectance`, known to the variant."""
    mi = load_mitsuba()
    import drjit as dr

    class BakedEmitter(mi.Emitter):  # type: ignore[name-defined]
        """Shines on both sides and is found by rays alone, never sampled as a light."""

        def __init__(self, properties: Any) -> None:
            super().__init__(properties)
            self.reflectance = properties.get_texture("reflectance")
            self.m_flags = mi.EmitterFlags.Surface | mi.EmitterFlags.SpatiallyVarying

        def eval(self, si: Any, active: Any = True) -> Any:
            light = si.shape.eval_attribute_3("vertex_light", si, active)
            return self.reflectance.eval(si, active) * mi.Spectrum(light)

        def sample_direction(self, it: Any, sample: Any, active: Any = True) -> Any:
            return dr.zeros(mi.DirectionSample3f), dr.zeros(mi.Spectrum)

        def pdf_direction(self, it: Any, ds: Any, active: Any = True) -> Any:
            return mi.Float(0.0)

        def eval_direction(self, it: Any, ds: Any, active: Any = True) -> Any:
            return mi.Spectrum(0.0)

        def to_string(self) -> str:
            return "BakedEmitter[]"

    mi.register_emitter("baked", BakedEmitter)
