"""Light that is computed once for a still scene and stored at the vertices of its meshes.

Matte surfaces look the same from everywhere, so what falls on them is path-traced once, to convergence, instead of
anew and noisily in every frame (Ward, Rubinstein and Clear 1988, "A ray tracing solution for diffuse
interreflection"). Frames then only trace what depends on the view: visibility and mirroring. Rendered with the
emitter `baked`, a surface sends out reflectance * vertex_light, where vertex_light is irradiance / pi.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import sparse

from monodepth_ros.data.synthetic.assembly import Array, Patch
from monodepth_ros.data.synthetic.mitsuba_backend import load_mitsuba

BOUNCES = 5
RAYS_PER_LAUNCH = 2**21
SMOOTHING = 2
LIFT = 5e-4  # metres that rays start above the surface that they gather for


def tessellated(patch: Patch, edge: float) -> Patch:
    """A single quadrilateral cut into pieces with edges no longer than `edge` metres; other patches unchanged."""
    if len(patch.vertices) != 4:
        return patch
    a, b, _, d = patch.vertices
    columns = 1 + int(np.linalg.norm(b - a) / edge)
    rows = 1 + int(np.linalg.norm(d - a) / edge)
    s, t = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    weights = np.stack([(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t], -1).reshape(-1, 4)
    corner = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    lower = np.stack([corner, corner + 1, corner + columns + 2], -1)
    upper = np.stack([corner, corner + columns + 2, corner + columns + 1], -1)
    return replace(
        patch, vertices=weights @ patch.vertices, normals=weights @ patch.normals, uv=weights @ patch.uv,
        faces=np.concatenate([lower, upper]),
    )


def bake(
    scene: dict[str, Any], patches: dict[str, Patch], reflectances: dict[str, Array], samples: int, seed: int
) -> dict[str, Array]:
    """vertex_light (n, 3) of every patch, by `samples` light paths at each vertex.

    `scene` holds the same patches as diffuse meshes of the constant linear `reflectances` (3,), and the lights.
    """
    mi = load_mitsuba()
    import drjit as dr

    lit = mi.load_dict({"type": "scene", **scene})
    integrator = mi.load_dict({"type": "path", "max_depth": BOUNCES, "rr_depth": 4})
    sampler = mi.load_dict({"type": "independent"})
    vertices = np.concatenate([patch.vertices for patch in patches.values()])
    normals = np.concatenate([patch.normals for patch in patches.values()])
    inward = np.concatenate([_towards_face(patch) for patch in patches.values()])
    columns = [mi.Vector3f(part.T.astype(np.float32)) for part in (vertices, normals, inward)]
    rounds = -(-samples * len(vertices) // RAYS_PER_LAUNCH)
    each = -(-samples // rounds)
    total = np.zeros((len(vertices), 3))
    for number in range(rounds):
        count = each * len(vertices)
        sampler.seed(seed * 1000 + number, count)
        vertex = dr.arange(mi.UInt32, count) // each
        point, normal, step = (dr.gather(mi.Vector3f, column, vertex) for column in columns)
        start = point + step * (0.03 + 0.47 * sampler.next_1d()) + LIFT * normal
        radiance = integrator.sample(lit, sampler, mi.RayDifferential3f(mi.Ray3f(mi.Point3f(start), -normal)))[0]
        total += dr.block_sum(radiance, each).numpy().T
    total /= rounds * each
    light, first = {}, 0
    for name, patch in patches.items():
        gathered = total[first : first + len(patch.vertices)] / reflectances[name]
        light[name] = _smoothed(patch, gathered)
        first += len(patch.vertices)
    return light


def _smoothed(patch: Patch, light: Array) -> Array:
    """Light averaged with that of the neighbours, `SMOOTHING` times: takes out most of the sampling noise."""
    count = len(patch.vertices)
    starts, ends = (patch.faces[:, order].ravel() for order in ([0, 1, 2, 1, 2, 0], [1, 2, 0, 0, 1, 2]))
    links = sparse.csr_matrix((np.ones(len(starts)), (starts, ends)), shape=(count, count))
    links.data[:] = 1.0
    links = links + sparse.identity(count)
    average = sparse.diags(1.0 / np.asarray(links.sum(axis=1)).ravel()) @ links
    for _ in range(SMOOTHING):
        light = average @ light
    return light


def _towards_face(patch: Patch) -> Array:
    """From every vertex to the middle of a face that it belongs to, (n, 3): light is gathered a little inside faces,
    not on the edges where they meet other things."""
    middles = patch.vertices[patch.faces].mean(axis=1)
    face = np.zeros(len(patch.vertices), int)
    for corner in patch.faces.T:
        face[corner] = np.arange(len(patch.faces))
    return middles[face] - patch.vertices


@lru_cache(maxsize=1)
def register_baked_emitter() -> None:
    """Makes the Mitsuba emitter `baked` (parameter: texture `reflectance`) known; needs a variant that is set."""
    mi = load_mitsuba()
    import drjit as dr

    class BakedEmitter(mi.Emitter):  # type: ignore[misc,name-defined]
        """Shines on both sides and is found by rays alone, never sampled as a light."""

        def __init__(self, properties: Any) -> None:
            super().__init__(properties)
            self.reflectance = properties["reflectance"]
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
