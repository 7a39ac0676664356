"""A recording for the Rerun viewer: `rerun demo.rrd`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera


def rerun_is_installed() -> bool:
    """Whether recordings can be made: with the extra `[viewer]`."""
    return importlib.util.find_spec("rerun") is not None


class RerunRecording:
    """Camera, depth, points and trajectory over time; stamps are seconds since the first frame."""

    def __init__(self, path: Path) -> None:
        import rerun

        self._rerun: Any = rerun
        self._stream: Any = rerun.RecordingStream("monodepth_demo")
        self._stream.save(str(path))
        self._stream.log("world", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        self._trajectory: list[NDArray[np.float64]] = []
        self._T_world_camera: NDArray[np.float64] | None = None

    def add_pose(self, seconds: float, T_world_camera: NDArray[np.float64]) -> None:
        """Where the camera's optical frame is, 4x4."""
        rr = self._rerun
        self._stream.set_time("time", duration=seconds)
        self._T_world_camera = T_world_camera
        self._trajectory.append(T_world_camera[:3, 3])
        pose = rr.Transform3D(translation=T_world_camera[:3, 3], mat3x3=T_world_camera[:3, :3])
        self._stream.log("world/camera", pose)
        self._stream.log("world/trajectory", rr.LineStrips3D([np.array(self._trajectory)]))

    def add_depth(
        self,
        seconds: float,
        rgb: NDArray[np.uint8],
        depth: NDArray[np.float32],
        camera: PinholeCamera,
    ) -> None:
        """An image, its depth HxW and the camera of the depth's size."""
        rr = self._rerun
        self._stream.set_time("time", duration=seconds)
        height, width = depth.shape
        pinhole = rr.Pinhole(image_from_camera=camera.K, width=width, height=height)
        self._stream.log("world/camera/depth", pinhole)
        self._stream.log("world/camera/depth", rr.DepthImage(np.nan_to_num(depth), meter=1.0))
        self._stream.log("image", rr.Image(rgb).compress(jpeg_quality=80))

    def add_figure(self, seconds: float, name: str, value: float) -> None:
        """A figure that changes over time."""
        self._stream.set_time("time", duration=seconds)
        self._stream.log(f"figures/{name}", self._rerun.Scalars([value]))

    def close(self) -> None:
        """Write what is still held."""
        self._stream.flush()
        self._stream.disconnect()
