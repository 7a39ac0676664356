"""A published model in the depth node: at its own rate, without growing latency."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foundation import tiny_published

from monodepth_ros.zoo.importers.huggingface import adopt

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")


def test_it_runs_live_at_its_own_rate(viewer: Any, start_node: Any, tmp_path: Path) -> None:
    """Images come faster than the network can take them: what waits is replaced, not queued."""
    from sensor_msgs.msg import Image
    from viewer import of_status

    folder = tiny_published("depth_anything_metric", tmp_path / "tiny")
    adopt(folder)
    arrivals: list[tuple[float, float]] = []

    def heard(message: Any) -> None:
        now = viewer.node.get_clock().now().nanoseconds
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        arrivals.append((time.monotonic(), (now - stamp) / 1e9))

    viewer.listen(Image, "depth/image_rect")
    viewer.node.create_subscription(Image, "depth/image_rect", heard, 10)
    start_node(
        "depth_node",
        f"model:={folder}",
        "engine:=torch",
        "precision:=fp32",
        "device:=cpu",
        "size:=840x630",  # slow enough to fall behind
        "scale_source:=none",
        "diagnostics_period:=0.2",
    )
    viewer.until(lambda: arrivals, play=viewer.play)
    arrivals.clear()
    viewer.until(lambda: len(arrivals) >= 8, seconds=120, play=viewer.play)
    period = np.diff([when for when, _ in arrivals]).mean()
    latency = np.array([late for _, late in arrivals])
    assert np.median(latency[-4:]) < 2 * np.median(latency[:4]) + 0.2
    assert latency.max() < 4 * period + 0.5  # two runs of the network, on a busy machine
    message = viewer.heard["depth/image_rect"][-1]
    assert (message.width, message.height) == (840, 630)
    viewer.until(lambda: of_status(viewer, "scale") == "metric", play=viewer.play)
