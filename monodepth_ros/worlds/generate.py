"""Renders a world into a sequence folder; an interrupted run goes on at its first missing frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.errors import UserError
from monodepth_ros.worlds.mitsuba_backend import (
    check_backend,
    is_vectorised,
    load_mitsuba,
)
from monodepth_ros.worlds.registry import (
    DEPTH_SCALE,
    FPS,
    SAMPLES,
    build_world,
    default_camera,
)
from monodepth_ros.worlds.render import Renderer

SMALLEST_SIDE = 16
VERSION = 1  # raised when the same request renders other frames: none goes on with those of others


@dataclass(frozen=True)
class SequenceRequest:
    """What to render. The same request gives the same bytes; sizes in pixels."""

    world: str
    seed: int = 0
    frames: int = 300
    width: int = 320
    height: int = 192
    fps: float | None = None  # None: the world's own
    samples: int | None = None  # light paths for each pixel; None: what suits the world

    def validate(self) -> SequenceRequest:
        """This request, or a UserError that names the value that cannot be."""
        if self.world not in FPS:
            raise UserError(f"no world named {self.world!r}: choose one of {', '.join(FPS)}")
        if min(self.width, self.height) < SMALLEST_SIDE:
            raise UserError(
                f"image size {self.width}x{self.height}: each side needs {SMALLEST_SIDE} pixels"
            )
        for name, value in (("frames", self.frames), ("samples", self.samples)):
            if value is not None and value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if self.seed < 0:
            raise UserError(f"the seed must not be negative, got {self.seed}")
        if self.fps is not None and self.fps <= 0:
            raise UserError(f"fps must be positive, got {self.fps:g}")
        return self


def generate(request: SequenceRequest, out: Path) -> Iterator[int]:
    """Render into `out`, yielding how many frames are complete: first those found there.

    Raises UserError for an impossible request and for a folder that holds another sequence.
    """
    request.validate()
    load_mitsuba()
    check_backend()
    by = "" if is_vectorised() else ", scalar variant"
    fps = request.fps or FPS[request.world]
    samples = request.samples or SAMPLES[request.world]
    camera = default_camera(request.world, request.width, request.height)
    with SequenceWriter(
        out,
        camera,
        fps,
        depth_scale=DEPTH_SCALE[request.world],
        source=f"synthetic world {request.world}, seed {request.seed}, "
        f"{request.frames} frames, {samples} samples{by}, version {VERSION}",
        licence="CC0-1.0",
    ) as writer:
        yield len(writer)
        if len(writer) >= request.frames:
            return
        world = build_world(request.world, request.seed, request.frames, camera, fps)
        renderer = Renderer(world, samples, request.seed)
        for index in range(len(writer), request.frames):
            frame = renderer.frame(index)
            writer.add(
                frame.image,
                depth=frame.depth,
                pose=frame.pose,
                stamp_ns=round(index * 1e9 / fps),
                speed=frame.speed,
                reflective=frame.reflective,
            )
            yield index + 1
