"""Odometry chains the inverse of what the pose network says, and knows what belongs together."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.visual_odometry import VisualOdometry
from monodepth_ros.zoo.weights import save_model


def frames(count: int, height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.fixture
def odometry(model) -> VisualOdometry:
    return VisualOdometry(model, "cpu", "network")


def test_the_first_frame_is_the_world(odometry):
    assert np.array_equal(odometry.add(frames(1)[0]), np.eye(4))


def test_poses_are_chained_inverse_motions(odometry):
    images = frames(4)
    poses = [odometry.add(image) for image in images]
    expected = np.eye(4)
    for k in range(3):
        pair = [odometry.engine.prepare(image[None]) for image in images[k : k + 2]]
        motion = odometry.engine.motion(*pair)[0]
        T_next_this = np.eye(4)
        T_next_this[:3, :3] = Rotation.from_rotvec(motion[:3].astype(np.float64)).as_matrix()
        T_next_this[:3, 3] = motion[3:]
        expected = expected @ np.linalg.inv(T_next_this)
        np.testing.assert_allclose(poses[k + 1], expected, atol=1e-9)
    assert poses[3].dtype == np.float64
    assert not np.allclose(poses[1], np.eye(4), atol=1e-6)


def test_a_known_motion_goes_the_right_way(odometry, monkeypatch):
    """The camera goes forward: points of its first place are a metre nearer in the second."""
    motion = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, -1.0]], np.float32)
    monkeypatch.setattr(odometry.engine, "motion", lambda first, second: motion)
    poses = [odometry.add(image) for image in frames(3)]
    np.testing.assert_allclose(poses[2][:3, 3], [0, 0, 2])


def test_long_chains_stay_rigid(odometry, monkeypatch):
    motion = np.array([[0.3, -0.2, 0.1, 0.1, 0.0, 0.2]], np.float32)
    monkeypatch.setattr(odometry.engine, "motion", lambda first, second: motion)
    image = frames(1)[0]
    for _ in range(300):
        pose = odometry.add(image)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)


def test_stated_covariances_are_chained(odometry, monkeypatch):
    """Two steps of 1 m ahead: the heading of the first, 0.1 rad, moves the end of the second."""
    step, stated = np.eye(4), np.diag([0.01] * 3 + [0.01] * 3)
    step[2, 3] = 1.0
    motion = Motion(step, "toy", stated)
    monkeypatch.setattr(odometry.method, "motion", lambda earlier, later: motion)
    for image in frames(3):
        odometry.add(image)
    expected = 2 * stated
    expected[0, 0] += 0.01  # about y, over 1 m
    expected[1, 1] += 0.01  # about x
    expected[0, 4] = expected[4, 0] = 0.01
    expected[1, 3] = expected[3, 1] = -0.01
    np.testing.assert_allclose(odometry.covariance, expected, atol=1e-12)


def test_without_a_stated_covariance_there_is_none(odometry):
    first, second = frames(2)
    odometry.add(first)
    assert not odometry.covariance.any()
    odometry.add(second)
    assert odometry.covariance is None
    odometry.reset()
    assert odometry.covariance is not None


def test_what_add_returns_is_the_callers(odometry):
    first, second = frames(2)
    odometry.add(first)[:] = 7
    assert abs(odometry.add(second)).max() < 2


def test_reset_starts_a_new_world(odometry):
    images = frames(3)
    run = [odometry.add(image, stamp=k) for k, image in enumerate(images)]
    odometry.reset()
    again = [odometry.add(image, stamp=k) for k, image in enumerate(images)]
    np.testing.assert_array_equal(run, again)


def test_another_size_or_an_old_stamp_is_refused_and_leaves_the_state(odometry, model):
    a, b, c = frames(3)
    odometry.add(a, stamp=10)
    odometry.add(b, stamp=20)
    with pytest.raises(UserError, match="50x40 frame follows 60x40"):
        odometry.add(frames(1, 40, 50)[0], stamp=30)
    for stamp in (20, 5):
        with pytest.raises(UserError, match="reset"):
            odometry.add(c, stamp=stamp)
    expected = VisualOdometry(model, "cpu", "network")
    for image in (a, b):
        expected.add(image)
    np.testing.assert_array_equal(odometry.add(c, stamp=30), expected.add(c))


def test_metric_models_scale_translation_by_the_camera(tmp_path, card, states, odometry):
    changes = {"scale": "metric", "factor": 3.0, "focal_length": 60.0}
    save_model(tmp_path / "metric", card.model_copy(update=changes), states)
    metric = VisualOdometry(tmp_path / "metric", "cpu", "network")
    camera = PinholeCamera.from_focal_length(96, 64, 120.0, 120.0, 48.0, 32.0)
    for image in frames(2, 64, 96):
        relative_pose = odometry.add(image)
        metric_pose = metric.add(image, camera)
    assert (odometry.scale, metric.scale) == ("relative", "metric")
    np.testing.assert_allclose(metric_pose[:3, 3], 6.0 * relative_pose[:3, 3], rtol=1e-6)
    np.testing.assert_allclose(metric_pose[:3, :3], relative_pose[:3, :3], atol=1e-12)


def test_a_model_without_pose_is_refused(tmp_path, card, states):
    save_model(tmp_path / "depth", card, {"depth": states["depth"]})
    with pytest.raises(UserError, match="no pose network"):
        VisualOdometry(tmp_path / "depth", "cpu", "network")


def test_a_model_without_a_known_shift_is_refused(tmp_path, card, states):
    save_model(
        tmp_path / "affine", card.model_copy(update={"ambiguity": "scale_and_shift"}), states
    )
    with pytest.raises(UserError, match="tiny gives depth up to scale and shift"):
        VisualOdometry(tmp_path / "affine", "cpu", "network")
