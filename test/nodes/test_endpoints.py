"""What a node creates when it is configured and activated is gone when it is cleaned up."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from viewer import Viewer

from monodepth_ros.nodes.camera.depth_node import DepthNode
from monodepth_ros.nodes.camera.odometry_node import OdometryNode
from monodepth_ros.nodes.recorder.recorder_node import RecorderNode
from monodepth_ros.nodes.reporting_node import SUCCESS
from monodepth_ros.nodes.tuner.tuner_node import TunerNode

PARAMETERS: list[tuple[Any, dict[str, Any]]] = [
    (DepthNode, {"device": "cpu", "scale_source": "speed"}),
    (DepthNode, {"device": "cpu", "scale_source": "topic"}),
    (OdometryNode, {"device": "cpu", "publish_tf": True, "scale_source": "camera_height",
                    "camera_height": 1.0}),
    (RecorderNode, {"record_on_activation": False}),
    (TunerNode, {}),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "support" / "tf2_stand_in")
    monkeypatch.setenv("MONODEPTH_MODELS", str(tmp_path / "models"))
    installed = sys.modules.pop("tf2_ros", None)
    yield tmp_path
    sys.modules.pop("tf2_ros", None)
    if installed is not None:
        sys.modules["tf2_ros"] = installed


def endpoints(node: Any) -> Counter[str]:
    found = [f"publisher {p.topic_name}" for p in node.publishers]
    found += [f"subscription {s.topic_name}" for s in node.subscriptions]
    found += [f"service {s.srv_name}" for s in node.services]
    found += [f"client {c.srv_name}" for c in node.clients]
    return Counter([*found, *(f"timer of {t.timer_period_ns} ns" for t in node.timers)])


@pytest.mark.parametrize(("kind", "parameters"), PARAMETERS)
def test_three_rounds_leave_nothing(
    viewer: Viewer, folder: Path, kind: Any, parameters: dict[str, Any]
) -> None:
    given = {"autostart": False, **parameters}
    if kind in (RecorderNode, TunerNode):
        given["folder"] = str(folder / "work")
    node = kind(parameter_overrides=[Parameter(name, value=v) for name, v in given.items()])
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    unconfigured = endpoints(node)
    active: list[Counter[str]] = []
    for _ in range(3):
        assert node.trigger_configure() == SUCCESS
        assert node.trigger_activate() == SUCCESS
        executor.spin_once(timeout_sec=0.3)
        active.append(endpoints(node))
        assert node.trigger_deactivate() == SUCCESS
        assert node.trigger_cleanup() == SUCCESS
        assert endpoints(node) == unconfigured
    assert active[0] == active[1] == active[2]
    if kind is OdometryNode:
        assert active[0]["publisher /tf"] == 1
        assert viewer.node.count_publishers("/tf") == 0
    executor.shutdown()
    node.destroy_node()


def test_a_start_that_fails_leaves_nothing(viewer: Viewer, folder: Path) -> None:
    """publish_tf fails last, when all else is there."""
    given = {"autostart": False, "device": "cpu", "publish_tf": True, "mounting": "parameters"}
    node = OdometryNode(parameter_overrides=[Parameter(n, value=v) for n, v in given.items()])
    unconfigured = endpoints(node)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(node.streams[0], "create_output", lambda *_: 1 / 0)
        assert node.trigger_configure() != SUCCESS
    assert endpoints(node) == unconfigured
    assert node.trigger_configure() == SUCCESS
    assert rclpy.ok()
    node.destroy_node()
