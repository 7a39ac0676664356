"""The worlds `rooms` and `glossy_rooms`: a handheld walk through a furnished flat."""

from __future__ import annotations

from typing import Any

import numpy as np

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.worlds.assembly import PRINTS, Array, Patch, merge
from monodepth_ros.worlds.light.baked import bake, register_baked_emitter, tessellated
from monodepth_ros.worlds.mitsuba_backend import is_vectorised, load_mitsuba
from monodepth_ros.worlds.rooms import textures as surfaces
from monodepth_ros.worlds.rooms.floor_plan import make_plan
from monodepth_ros.worlds.rooms.furnishing import furnish
from monodepth_ros.worlds.rooms.gloss import darkened, glossy_bsdf
from monodepth_ros.worlds.rooms.prints import make_atlas
from monodepth_ros.worlds.rooms.shell import build_shell
from monodepth_ros.worlds.rooms.trajectory import plan_walk, walk_poses
from monodepth_ros.worlds.textures import bitmap
from monodepth_ros.worlds.world import World

MAX_BOUNCES = 3  # with lights that are not baked
MIRRORINGS = 2  # of baked light: a mirror in a mirror is seen
LIGHT_GRID = 0.12  # metres between the points at which light is baked
LIGHTS = {"lamp", "window"}
PLANNED_FRAMES = (
    500  # walks are planned in multiples of this, so that a longer one begins like a shorter one
)

# Metres that one repeat of a texture covers.
TEXTURE_SIZE = {
    "floor": 1.6,
    "wall": 1.8,
    "accent": 1.6,
    "ceiling": 1.2,
    "splashback": 0.8,
    "fabric_a": 0.7,
    "fabric_b": 0.9,
}
DEFAULT_SIZE = 1.0

SURFACES = {
    "wood_light": surfaces.wood,
    "wood_dark": surfaces.wood,
    "paint_a": surfaces.paint,
    "paint_b": surfaces.paint,
    "fabric_a": surfaces.fabric,
    "fabric_b": surfaces.fabric,
    "plastic": surfaces.plastic,
    "ceramic": surfaces.ceramic,
    "metal": surfaces.metal,
    "cardboard": surfaces.cardboard,
    "leaf": surfaces.leaf,
    "stone": surfaces.stone,
    "rug": surfaces.carpet,
    "splashback": surfaces.tiles,
    "trim": surfaces.trim,
    PRINTS: make_atlas,
    "mirror": surfaces.metal,
    "ceiling": surfaces.ceiling,
    "lamp": surfaces.ceiling,
    "window": surfaces.outdoors,
}
# Radiance of what shines.
LAMP, WINDOW = 14.0, 3.5
# Shares of that light with which lamps and windows are seen. As bright as they are, they would only
# be burnt out; mirroring surfaces want some glare.
SEEN, SEEN_IN_MIRRORS = 0.1, 0.4
BLACK = {"type": "diffuse", "reflectance": {"type": "rgb", "value": 0.0}}


def build_rooms(seed: int, frames: int, camera: PinholeCamera, fps: float) -> World:
    """Matte rooms; the same seed gives the same rooms and walk."""
    return _build("rooms", seed, frames, camera, fps, glossy=False)


def build_glossy_rooms(seed: int, frames: int, camera: PinholeCamera, fps: float) -> World:
    """Rooms whose floors, fronts, worktops, screens and metal mirror what is around them."""
    return _build("glossy_rooms", seed, frames, camera, fps, glossy=True)


def _build(
    name: str, seed: int, frames: int, camera: PinholeCamera, fps: float, glossy: bool
) -> World:
    patches, poses, speed = lay_out(seed, frames, fps, mirrors=glossy)
    rng = np.random.default_rng([seed, 13])
    textures = {material: _texture(rng, _kind(material), glossy) for material in patches}
    assemble = _baked_scene if is_vectorised() else _lit_scene
    scene = assemble(patches, textures, glossy, seed)
    bounces = MIRRORINGS * glossy if is_vectorised() else MAX_BOUNCES
    return World(name, scene, poses, speed, camera, fps, bounces, glossy)


def lay_out(
    seed: int, frames: int, fps: float, mirrors: bool = False
) -> tuple[dict[str, Patch], Array, Array]:
    """The flat as one patch for each material, and poses (frames, 4, 4) and speed (frames,) of a
    walk through it; no renderer is needed."""
    rng = np.random.default_rng([seed, 7])
    plan = make_plan(rng)
    shell = build_shell(rng, plan, mirrors)
    contents, occupancy, landmarks = furnish(rng, plan)
    planned = PLANNED_FRAMES * max(1, -(-frames // PLANNED_FRAMES))
    walk = plan_walk(rng, occupancy, landmarks, length=planned / fps)
    poses, speed = walk_poses(rng, walk, planned, fps)
    patches = merge(tessellated(patch, LIGHT_GRID) for patch in shell.patches + contents.patches)
    return patches, poses[:frames], speed[:frames]


def _kind(material: str) -> str:
    return material.rstrip("0123456789")


def _texture(rng: np.random.Generator, kind: str, glossy: bool) -> surfaces.Image:
    if kind == "floor":
        choice = surfaces.HARD_FLOORS if glossy else surfaces.FLOORS
        texture = choice[int(rng.integers(len(choice)))](rng)
    elif kind in ("wall", "accent"):
        texture = surfaces.WALLS[int(rng.integers(len(surfaces.WALLS)))](rng)
    else:
        texture = SURFACES[kind](rng)
    return darkened(rng, kind, texture) if glossy else texture


def _baked_scene(
    patches: dict[str, Patch], textures: dict[str, surfaces.Image], glossy: bool, seed: int
) -> dict[str, Any]:
    """Meshes that send out the light which falls on them, found beforehand, and may mirror."""
    register_baked_emitter()
    rng = np.random.default_rng([seed, 11])
    means = {
        material: np.clip(surfaces.linear(texture).mean((0, 1)), 0.02, 0.85)
        for material, texture in textures.items()
    }
    dim = {
        material: _mesh(
            material,
            patch,
            BLACK,
            _baked({"type": "rgb", "value": means[material].tolist()}),
            np.zeros_like(patch.vertices),
        )
        for material, patch in patches.items()
    }
    lights = {
        material: _mesh(material, patches[material], BLACK, _light(material, textures[material]))
        for material in LIGHTS & patches.keys()
    }
    light = bake(dim, lights, patches, seed)
    seen = SEEN_IN_MIRRORS if glossy else SEEN
    scene = {}
    for material, patch in patches.items():
        texture = textures[material]
        emitter = _light(material, texture, seen)
        bsdf = glossy_bsdf(rng, _kind(material), None) if glossy else None
        scene[material] = _mesh(
            material, patch, bsdf or BLACK, emitter or _baked(bitmap(texture)), light[material]
        )
    return scene


def _lit_scene(
    patches: dict[str, Patch], textures: dict[str, surfaces.Image], glossy: bool, seed: int
) -> dict[str, Any]:
    """Meshes with ordinary materials and lights, for a renderer that cannot bake."""
    rng = np.random.default_rng([seed, 11])
    scene = {}
    for material, patch in patches.items():
        base = bitmap(textures[material])
        bsdf = glossy_bsdf(rng, _kind(material), base) if glossy else None
        scene[material] = _mesh(
            material, patch, bsdf or _matte(base), _light(material, textures[material])
        )
    return scene


def _baked(reflectance: dict[str, Any]) -> dict[str, Any]:
    return {"type": "baked", "reflectance": reflectance, "sampling_weight": 0.0}


def _matte(reflectance: dict[str, Any]) -> dict[str, Any]:
    return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": reflectance}}


def _light(material: str, texture: surfaces.Image, share: float = 1.0) -> dict[str, Any] | None:
    """The emitter of what shines by itself."""
    if material == "lamp":
        return {
            "type": "area",
            "radiance": {
                "type": "rgb",
                "value": [share * LAMP, share * 0.93 * LAMP, share * 0.82 * LAMP],
            },
        }
    if material == "window":
        view = load_mitsuba().Bitmap(np.float32(share * WINDOW) * surfaces.linear(texture))
        return {"type": "area", "radiance": {"type": "bitmap", "bitmap": view, "raw": True}}
    return None


def _mesh(
    material: str,
    patch: Patch,
    bsdf: dict[str, Any],
    emitter: dict[str, Any] | None,
    light: Array | None = None,
) -> Any:
    """The Mitsuba mesh of all that is made of one material."""
    mi = load_mitsuba()
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(bsdf)
    if emitter is not None:
        properties["emitter"] = mi.load_dict(emitter)
    mesh = mi.Mesh(
        material,
        len(patch.vertices),
        len(patch.faces),
        properties,
        has_vertex_normals=True,
        has_vertex_texcoords=True,
    )
    parameters = mi.traverse(mesh)
    parameters["vertex_positions"] = patch.vertices.astype(np.float32).ravel()
    parameters["vertex_normals"] = patch.normals.astype(np.float32).ravel()
    uv = patch.uv / TEXTURE_SIZE.get(_kind(material), DEFAULT_SIZE)
    parameters["vertex_texcoords"] = uv.astype(np.float32).ravel()
    parameters["faces"] = patch.faces.astype(np.uint32).ravel()
    parameters.update()
    if light is not None:
        mesh.add_attribute("vertex_light", 3, light.astype(np.float32).ravel())
    return mesh
