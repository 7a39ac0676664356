"""Quick path tracing of matte scenes: noise only where it can be smoothed away.

On a matte surface the radiance is reflectance times irradiance. Reflectance, emission and the light
of point-like sources (the sun) are sampled without noise; what arrives from everywhere else, sky
and other surfaces, is traced with few paths and then smoothed over neighbouring points of the same
surface (edge-avoiding à-trous wavelets: Dammertz, Sewtz, Hanika and Lensch 2010), before the
reflectance is multiplied on. Textures and the edges of sun shadows stay sharp.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from monodepth_ros.worlds.mitsuba_backend import load_mitsuba

WAVELET_STEPS = (1, 2, 4, 8)  # pixels


class MatteLight:
    """Renders one matte scene; needs a vectorised variant of Mitsuba."""

    def __init__(self, scene: dict[str, Any], max_bounces: int) -> None:
        mi = load_mitsuba()
        self._max_bounces = max_bounces
        parts = {name: mi.load_dict(p) if isinstance(p, dict) else p for name, p in scene.items()}
        self._scene = mi.load_dict({"type": "scene", **parts})
        # Point-like sources in a scene of their own: choosing among all emitters would be noise.
        others = {name for name, part in parts.items() if _is_emitter(part) and not _is_delta(part)}
        delta = {name: part for name, part in parts.items() if name not in others}
        self._delta_scene = mi.load_dict({"type": "scene", **delta})
        self._has_delta = any(_is_delta(part) for part in parts.values())
        self._sampler = mi.load_dict({"type": "independent"})

    def render(self, sensor: Any, width: int, height: int, samples: int, seed: int) -> np.ndarray:
        """Linear radiance float32 (height, width, 3) with `samples` paths for each pixel."""
        mi = load_mitsuba()
        import drjit as dr

        lanes = width * height * samples
        self._sampler.seed(seed, lanes)
        pixel = dr.arange(mi.UInt32, lanes) // samples
        corner = mi.Point2f(mi.Float(pixel % width), mi.Float(pixel // width))
        position = (corner + self._sampler.next_2d()) / mi.ScalarPoint2f(width, height)
        ray, _ = sensor.sample_ray(0.0, 0.5, position, mi.Point2f(0.5))
        si = self._scene.ray_intersect(ray)
        hit = si.is_valid()
        albedo = self._albedo(si, ray)
        sun = self._point_light(si)
        ambient = self._ambient(si)
        channels = [
            dr.select(valid, channel, 0.0)
            for value, valid in (
                (si.emitter(self._scene).eval(si), True),
                (albedo, hit),
                (albedo * sun, hit),
                (ambient, hit),
                (si.n, hit),
                (si.p, hit),
                (mi.Vector3f(si.t), hit),
                (mi.Vector3f(1.0), hit),
            )
            for channel in value
        ]
        dr.eval(channels)  # at once: a reduction alone would trace its channel's paths anew
        means = [dr.block_reduce(dr.ReduceOp.Add, c, samples) / samples for c in channels]
        stack = np.stack([np.array(mean) for mean in means], axis=-1).reshape(height, width, -1)
        emitted, albedo, sun, ambient, normal, point, distance, share = np.split(stack, 8, axis=-1)
        per_hit = 1.0 / np.maximum(share[..., :1], 1e-6)
        smooth = smooth_over_surfaces(
            ambient * per_hit,
            point * per_hit,
            normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6),
            distance[..., 0] * per_hit[..., 0],
            share[..., 0] > 0,
        )
        return np.nan_to_num(emitted + sun + albedo * smooth).astype(np.float32)

    def _albedo(self, si: Any, ray: Any) -> Any:
        import drjit as dr

        hit = si.is_valid()
        return dr.select(hit, si.bsdf(ray).eval_diffuse_reflectance(si, hit), 0.0)

    def _point_light(self, si: Any) -> Any:
        """Irradiance over pi from point-like sources, shadows included."""
        mi = load_mitsuba()
        import drjit as dr

        if not self._has_delta:
            return mi.Color3f(0.0)
        active = si.is_valid()
        sample, light = self._delta_scene.sample_emitter_direction(
            si, mi.Point2f(0.5), True, active
        )
        # Surfaces are two-sided: lit when the source is on the side that is looked at.
        cosine = dr.dot(si.n, sample.d) * dr.sign(si.wi.z)
        return dr.select(active & (cosine > 0), light * cosine / dr.pi, 0.0)

    def _ambient(self, si: Any) -> Any:
        """One-path estimate of the irradiance over pi from everything that is not point-like."""
        mi = load_mitsuba()
        import drjit as dr

        total, weight, active = mi.Color3f(0.0), mi.Color3f(1.0), si.is_valid()
        for bounce in range(self._max_bounces):
            local = mi.warp.square_to_cosine_hemisphere(self._sampler.next_2d())
            local.z *= dr.sign(si.wi.z)
            ray = si.spawn_ray(si.to_world(local))
            si = self._scene.ray_intersect(ray, active)
            total += weight * dr.select(active, si.emitter(self._scene).eval(si, active), 0.0)
            active &= si.is_valid()
            if bounce + 1 < self._max_bounces:
                weight *= self._albedo(si, ray)
                total += dr.select(active, weight * self._point_light(si), 0.0)
        return total


def smooth_over_surfaces(
    light: np.ndarray, point: np.ndarray, normal: np.ndarray, distance: np.ndarray, hit: np.ndarray
) -> np.ndarray:
    """Average `light` (H, W, 3) over neighbours that lie in the same plane.

    `point` and unit `normal` (H, W, 3) tell where each pixel's surface is, `distance` (H, W) how
    far away; pixels without `hit` neither give nor take.
    """
    tolerance = 0.01 + 0.003 * distance
    for step in WAVELET_STEPS:
        total, weights = light.copy(), np.ones_like(distance)
        padded = [
            cv2.copyMakeBorder(array, step, step, step, step, cv2.BORDER_REPLICATE)
            for array in (light, point, normal, hit.astype(np.float32))
        ]
        for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
            near_light, near_point, near_normal, near_hit = (
                array[
                    (1 + dy) * step : (1 + dy) * step + light.shape[0],
                    (1 + dx) * step : (1 + dx) * step + light.shape[1],
                ]
                for array in padded
            )
            off_plane = np.abs(np.einsum("hwc,hwc->hw", normal, near_point - point))
            facing = np.einsum("hwc,hwc->hw", normal, near_normal).clip(0, 1) ** 8
            kernel = 0.5 if dx == 0 or dy == 0 else 0.25
            weight = kernel * near_hit * facing * np.exp(-off_plane / tolerance)
            total += weight[..., None] * near_light
            weights += weight
        light = total / weights[..., None]
    return light


def _is_emitter(part: Any) -> bool:
    mi = load_mitsuba()
    return isinstance(part, mi.Emitter) or (isinstance(part, mi.Shape) and part.is_emitter())


def _is_delta(part: Any) -> bool:
    mi = load_mitsuba()
    return isinstance(part, mi.Emitter) and mi.has_flag(part.flags(), mi.EmitterFlags.Delta)
