"""Camera images, true depth and reflective masks of a world by path tracing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.lens import pixel_centres, rays
from monodepth_ros.worlds.light.matte import MatteLight
from monodepth_ros.worlds.mitsuba_backend import is_vectorised, load_mitsuba
from monodepth_ros.worlds.world import World

# Mitsuba's camera has x left and y up; the optical frame has x right and y down.
OPTICAL_FROM_MITSUBA = np.diag([-1.0, -1.0, 1.0, 1.0])
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
# Brightness, before the tone curve, that the meter gives the brightest tenth of the surfaces.
METERED_BRIGHTNESS = 0.65
WHITE_BRIGHTNESS = 4.0  # what the tone curve maps to white
LENS_BLUR = 0.5  # pixels, deviation of the spread of a point
READ_NOISE, SHOT_NOISE = 0.002, 0.006  # deviation at black, and at full brightness


@dataclass
class RenderedFrame:
    """One frame: uint8 sRGB image (H, W, 3), Z depth float32 (H, W) in metres with NaN for the sky,
    reflective bool (H, W) or None, pose 4x4 T_world_camera, speed in metres per second.
    """

    index: int
    image: np.ndarray
    depth: np.ndarray
    reflective: np.ndarray | None
    pose: np.ndarray
    speed: float


class Renderer:
    """Renders the frames of one world in any order; the same seed gives the same bytes."""

    def __init__(self, world: World, samples: int = 32, seed: int = 0) -> None:
        self.world, self.samples, self.seed = world, samples, seed
        mi = load_mitsuba()
        self._scene = mi.load_dict({"type": "scene", **world.scene})
        self._matte_light = (
            MatteLight(world.scene, world.max_bounces) if world.matte and is_vectorised() else None
        )
        self._integrator = mi.load_dict({"type": "path", "max_depth": world.max_bounces + 1})
        self._sensor = mi.load_dict(_sensor(world))
        self._sensor_parameters = mi.traverse(self._sensor)
        self._specular = _SpecularSwitch(self._scene) if world.glossy else None

    def frame(self, index: int) -> RenderedFrame:
        """Render frame `index` of the world's path."""
        pose = self.world.poses[index]
        radiance = self._radiance(index, self.samples)
        noise = np.random.default_rng([self.seed, index])
        return RenderedFrame(
            index=index,
            image=to_srgb(photograph(noise, radiance * self.exposure)),
            depth=self.depth(index),
            reflective=self._reflective(index, radiance),
            pose=pose,
            speed=float(self.world.speed[index]),
        )

    @cached_property
    def exposure(self) -> float:
        """Brightness per radiance, one value for the sequence: surfaces keep their colour."""
        if self.world.exposure is not None:
            return self.world.exposure
        indices = np.unique(np.linspace(0, len(self.world.poses) - 1, 7).round().astype(int))
        bright = []
        for index in indices:
            luminance = self._radiance(int(index), 4) @ LUMINANCE
            seen = np.isfinite(self.depth(int(index)))
            if seen.any():
                bright.append(np.percentile(luminance[seen], 90))
        return float(METERED_BRIGHTNESS / max(np.median(bright), 1e-6)) if bright else 1.0

    def depth(self, index: int) -> np.ndarray:
        """Z depth float32 (H, W) of the surface at each pixel centre, NaN where no surface is."""
        camera = self.world.camera
        seen = rays(camera, pixel_centres(camera.height, camera.width))
        lengths = np.linalg.norm(seen, axis=1)
        pose = self.world.poses[index]
        directions = (seen / lengths[:, None]) @ pose[:3, :3].T
        distance = _trace(self._scene, pose[:3, 3], directions)
        distance[~np.isfinite(distance)] = np.nan
        return (distance / lengths).reshape(camera.height, camera.width).astype(np.float32)

    def _radiance(self, index: int, samples: int) -> np.ndarray:
        """Linear radiance float32 (H, W, 3)."""
        mi = load_mitsuba()
        to_world = self.world.poses[index] @ OPTICAL_FROM_MITSUBA
        self._sensor_parameters["to_world"] = mi.Transform4f(to_world)
        self._sensor_parameters.update()
        seed = _sampler_seed(self.seed, index)
        if self._matte_light is not None:
            camera = self.world.camera
            return self._matte_light.render(
                self._sensor, camera.width, camera.height, samples, seed
            )
        image = mi.render(
            self._scene,
            sensor=self._sensor,
            integrator=self._integrator,
            spp=samples,
            seed=seed,
        )
        return np.nan_to_num(np.array(image, dtype=np.float32))[..., :3]

    def _reflective(self, index: int, radiance: np.ndarray) -> np.ndarray | None:
        """Pixels more than half of whose light came by way of a specular lobe."""
        if self._specular is None:
            return None
        with self._specular:
            matte = self._radiance(index, self.samples)
        full = cv2.GaussianBlur(radiance @ LUMINANCE, (0, 0), 1.0)
        without = cv2.GaussianBlur(matte @ LUMINANCE, (0, 0), 1.0)
        return (full - without) > 0.5 * full


class _SpecularSwitch:
    """Turns the specular lobes of a scene's materials off while it is entered."""

    def __init__(self, scene: Any) -> None:
        self._parameters = load_mitsuba().traverse(scene)
        self._parameters.keep(r".*specular_reflectance.*")
        self._values = {key: type(value)(value) for key, value in self._parameters.items()}
        if not self._values:
            raise ValueError("a glossy world needs materials with an explicit specular_reflectance")

    def __enter__(self) -> None:
        for key, value in self._values.items():
            self._parameters[key] = value * 0.0
        self._parameters.update()

    def __exit__(self, *_: object) -> None:
        for key, value in self._values.items():
            self._parameters[key] = type(value)(value)
        self._parameters.update()


def render(
    world: World, samples: int = 32, seed: int = 0, start: int = 0
) -> Iterator[RenderedFrame]:
    """Frames of a world from `start` to the end of its path."""
    renderer = Renderer(world, samples, seed)
    for index in range(start, len(world.poses)):
        yield renderer.frame(index)


def to_srgb(brightness: np.ndarray) -> np.ndarray:
    """uint8 sRGB of linear brightness; highlights roll off as on film instead of clipping hard
    (Reinhard et al. 2002, equation 4)."""
    x = np.maximum(brightness, 0)
    linear = np.clip(1.25 * x * (1 + x / WHITE_BRIGHTNESS**2) / (1 + 0.5 * x), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(np.uint8)


def photograph(rng: np.random.Generator, brightness: np.ndarray) -> np.ndarray:
    """Blur of a lens, read noise and shot noise of a small camera in good light."""
    blurred = cv2.GaussianBlur(brightness, (0, 0), LENS_BLUR)
    variance = READ_NOISE**2 + SHOT_NOISE**2 * np.clip(blurred, 0, 1)
    noise = rng.standard_normal(brightness.shape, dtype=np.float32)
    return blurred + np.sqrt(variance) * noise


def _sensor(world: World) -> dict[str, Any]:
    camera = world.camera
    fx, fy, cx, cy = camera.K[0, 0], camera.K[1, 1], camera.K[0, 2], camera.K[1, 2]
    if not np.isclose(fx, fy, rtol=1e-6):
        raise UserError(f"a synthetic camera has square pixels: fx {fx:g} and fy {fy:g} differ")
    # Mitsuba puts the first pixel's centre at 0.5, this package at 0.
    return {
        "type": "perspective",
        "fov_axis": "x",
        "fov": float(np.degrees(2 * np.arctan(camera.width / (2 * fx)))),
        "principal_point_offset_x": float(0.5 - (cx + 0.5) / camera.width),
        "principal_point_offset_y": float(0.5 - (cy + 0.5) / camera.height),
        "near_clip": 0.01,
        "far_clip": 10000.0,
        "film": {
            "type": "hdrfilm",
            "width": camera.width,
            "height": camera.height,
            "pixel_format": "rgb",
            "component_format": "float32",
            "rfilter": {"type": "box"},
        },
        "sampler": {"type": "independent"},
    }


def _trace(scene: Any, origin: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Distances (N,) from `origin` along unit `directions` (N, 3); inf where nothing is hit."""
    mi = load_mitsuba()
    if is_vectorised():
        ray = mi.Ray3f(o=mi.Point3f(origin), d=mi.Vector3f(directions.T.astype(np.float32)))
        return np.array(scene.ray_intersect_preliminary(ray).t, dtype=np.float64)
    return np.array(
        [
            scene.ray_intersect_preliminary(mi.Ray3f(o=origin, d=direction)).t
            for direction in directions
        ],
        dtype=np.float64,
    )


def _sampler_seed(seed: int, index: int) -> int:
    """A seed of its own for every frame, so that the noise does not stick to the lens."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0])
