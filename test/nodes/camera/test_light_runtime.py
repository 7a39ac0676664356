"""With exported networks a depth node never imports torch, and stays small."""

from __future__ import annotations

import subprocess
from pathlib import Path

from exported_model import cached_engine, exports_cache, heavy_modules, shared_cache, telling
from sensor_msgs.msg import Image
from viewer import Viewer

__all__ = ["cached_engine", "exports_cache", "shared_cache"]  # fixtures
MEGABYTES = 300


def test_a_depth_node_without_torch(viewer: Viewer, cached_engine: str) -> None:
    viewer.listen(Image, "depth/image_rect")
    node = telling("from monodepth_ros.nodes.programs import depth_node; depth_node()")
    parameters = ["--ros-args", "-p", f"engine:={cached_engine}"]
    with subprocess.Popen([*node, *parameters], stdout=subprocess.PIPE, text=True) as process:
        try:
            viewer.until(lambda: len(viewer.heard["depth/image_rect"]) > 5, play=viewer.play)
            resident = resident_megabytes(process.pid)
        finally:
            process.terminate()
        output, _ = process.communicate(timeout=30)
    assert heavy_modules(output) == set()
    assert resident < MEGABYTES


def resident_megabytes(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6
