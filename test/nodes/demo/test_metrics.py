"""The metrics of a demo, from results whose errors are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from monodepth_ros.nodes.demo.metrics import DemoMetrics

SECOND = 1_000_000_000
GENERATOR = np.random.default_rng(0)


def pose(t):
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec([0, 0.1 * t, 0]).as_matrix()
    T[:3, 3] = [np.sin(t), 0.1 * t, t]
    return T


def test_rates_and_latencies():
    metrics = DemoMetrics()
    for k in range(11):
        stamp = k * SECOND // 10
        metrics.add_image(stamp, None)
        metrics.add_depth(stamp + 30_000_000, stamp, np.ones((4, 5), np.float32), None)
    summary = metrics.summary()
    assert summary["images"]["count"] == 11
    assert summary["depth"]["rate_hz"] == pytest.approx(10)
    assert summary["depth"]["latency_median_ms"] == pytest.approx(30)
    assert summary["odometry"] == {"count": 0}
    assert "depth 10.0 Hz, 30 ms" in metrics.line()


def test_a_trajectory_in_another_unit_and_world_has_no_error():
    metrics = DemoMetrics()
    world = np.eye(4)
    world[:3, :3] = Rotation.from_rotvec([0.3, -0.2, 1.0]).as_matrix()
    for k in range(20):
        metrics.add_image(k, pose(k / 10))
        estimate = world @ pose(k / 10)
        estimate[:3, 3] *= 0.25
        metrics.add_odometry(k, k, estimate)
    error = metrics.trajectory_error()
    assert error["ate_m"] == pytest.approx(0, abs=1e-9)
    assert error["scale"] == pytest.approx(4)
    estimated, truth = metrics.trajectories()
    np.testing.assert_allclose(estimated[:, :3, 3], truth[:, :3, 3], atol=1e-9)


def test_an_outlier_is_an_error():
    metrics = DemoMetrics()
    for k in range(20):
        metrics.add_image(k, pose(k / 10))
        estimate = pose(k / 10)
        estimate[0, 3] += GENERATOR.normal(0, 0.1)
        metrics.add_odometry(k, k, estimate)
    assert 0.03 < metrics.trajectory_error()["ate_m"] < 0.15


def test_a_camera_that_has_not_moved_has_no_trajectory_error_yet():
    metrics = DemoMetrics()
    for k in range(20):
        metrics.add_image(k, np.eye(4))
        metrics.add_odometry(k, k, np.eye(4))
    assert metrics.trajectory_error() == {} and metrics.trajectories()[1] is None


def test_depth_is_compared_at_the_size_of_its_truth():
    metrics = DemoMetrics()
    truth = np.full((8, 10), 2.0, np.float32)
    truth[0, 0] = np.nan
    metrics.add_depth(0, 0, np.full((4, 5), 7.0, np.float32), truth)
    assert metrics.depth_error()["abs_rel"] == pytest.approx(0, abs=1e-6)
    metrics.add_depth(1, 1, np.ones((4, 5), np.float32), np.full((8, 10), np.nan, np.float32))
    assert metrics.depth_error()["a1"] == 1
