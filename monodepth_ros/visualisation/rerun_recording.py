"""A recording for the Rerun viewer: `rerun FILE.rrd`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.utf8_path import utf8_path
from monodepth_ros.geometry.camera import PinholeCamera


def rerun_is_installed() -> bool:
    """Whether recordings can be made: with the extra `[viewer]`."""
    return importlib.util.find_spec("rerun") is not None


class RerunRecording:
    """Camera and depth over time, in seconds since the first frame, and the trajectory."""

    def __init__(self, path: Path) -> None:
        import rerun

        self._rerun: Any = rerun
        self._stream: Any = rerun.RecordingStream("monodepth_demo")
        with utf8_path(path) as name:
            self._stream.save(name)
        self._stream.log("world", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        self._trajectory: list[NDArray[np.float64]] = []

    def add_pose(self, seconds: float, T_world_camera: NDArray[np.float64]) -> None:
        """Where the camera's optical frame is, 4x4."""
        rr = self._rerun
        self._stream.set_time("time", duration=seconds)
        self._trajectory.append(T_world_camera[:3, 3])
        pose = rr.Transform3D(translation=T_world_camera[:3, 3], mat3x3=T_world_camera[:3, :3])
        self._stream.log("world/camera", pose)

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

    def close(self) -> None:
        """Write what is held, and the way as a whole: with every pose its size would be squared."""
        way = self._rerun.LineStrips3D([np.array(self._trajectory)] if self._trajectory else [])
        self._stream.log("world/trajectory", way, static=True)
        self._stream.flush()
        self._stream.disconnect()
