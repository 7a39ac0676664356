"""The synthetic worlds by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from monodepth_ros.data.cameras.capture_settings import camera_of_field_of_view
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.worlds.world import World

# Where each builder lives; looked up on use, so that listing the names loads nothing.
BUILDERS = {
    "street": ("monodepth_ros.worlds.street.street", "build_street"),
    "rooms": ("monodepth_ros.worlds.rooms.rooms", "build_rooms"),
    "glossy_rooms": ("monodepth_ros.worlds.rooms.rooms", "build_glossy_rooms"),
}
FIELD_OF_VIEW = {"street": 75.0, "rooms": 62.0, "glossy_rooms": 62.0}  # degrees, horizontal
# Stored units to the metre: 16 bits reach 256 m outdoors and 65 m indoors.
DEPTH_SCALE = {"street": 256.0, "rooms": 1000.0, "glossy_rooms": 1000.0}
# Light paths for each pixel at which frames look like a camera's.
SAMPLES = {"street": 8, "rooms": 16, "glossy_rooms": 32}
FPS = {"street": 10.0, "rooms": 15.0, "glossy_rooms": 15.0}


def default_camera(world: str, width: int, height: int) -> PinholeCamera:
    """The camera of a world at an image size: centred, square pixels, its field of view."""
    return camera_of_field_of_view(height, width, FIELD_OF_VIEW[world])


def build_world(name: str, seed: int, frames: int, camera: PinholeCamera, fps: float) -> World:
    """The world `name` of this seed with a path of `frames` frames; UserError for unknown names."""
    if name not in BUILDERS:
        raise UserError(f"no world named {name!r}: choose one of {', '.join(BUILDERS)}")
    module, function = BUILDERS[name]
    builder: Callable[..., World] = getattr(import_module(module), function)
    return builder(seed, frames, camera, fps)
