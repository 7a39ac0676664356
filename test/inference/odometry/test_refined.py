"""Motions as the network says them, and aligned to depth."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from corridor import CAMERA, render
from scipy.spatial.transform import Rotation

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.engines.torch import TorchEngine
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.inference.odometry.view import Views


def true_motion() -> np.ndarray:
    T = np.eye(4)
    T[:3, 3] = 0.08, 0.02, 0.1
    return T


def angle(R: np.ndarray) -> float:
    return float(np.linalg.norm(Rotation.from_matrix(R).as_rotvec()))


@pytest.fixture
def scene(model, monkeypatch):
    """Two frames of a corridor; depth of the later one is known, its motion taken for a turn."""
    (earlier, _), (later, depth) = (render(T) for T in (np.eye(4), true_motion()))
    inverse = (1 / depth).astype(np.float32)

    def depth_net(engine, frames):
        return cv2.resize(inverse, engine.size[::-1], interpolation=cv2.INTER_AREA)[None]

    monkeypatch.setattr(TorchEngine, "inverse_depth", depth_net)
    turn = np.array([[0.01, 0.03, 0.0, 1e-3, 1e-3, 1e-3]], np.float32)
    monkeypatch.setattr(TorchEngine, "motion", lambda *_: turn)
    return model, earlier, later


def motion(scene, name, camera=CAMERA):
    model, earlier, later = scene
    method = load_method(name, load_engine(model, device="cpu", size=(128, 192)))
    views = Views(method.engine, method.sees_grey)
    measured = method.motion(*(views.view(image, camera) for image in (earlier, later)))
    assert measured.method == name and measured.covariance is None
    return measured.T_earlier_later


def test_alignment_finds_the_motion_and_its_length(scene):
    truth = true_motion()
    unrefined, refined = motion(scene, "network"), motion(scene, "refined")
    assert angle(unrefined[:3, :3].T @ truth[:3, :3]) > 0.02
    assert angle(refined[:3, :3].T @ truth[:3, :3]) < 0.004
    assert np.linalg.norm(refined[:3, 3] - truth[:3, 3]) < 0.15 * np.linalg.norm(truth[:3, 3])
    np.testing.assert_allclose(refined[:3, :3] @ refined[:3, :3].T, np.eye(3), atol=1e-9)


def test_the_same_frames_give_the_same_motion(scene):
    np.testing.assert_array_equal(motion(scene, "refined"), motion(scene, "refined"))


def test_a_plain_wall_leaves_the_motion_as_it_is(scene):
    model, earlier, _ = scene
    plain = np.full_like(earlier, 90)
    np.testing.assert_allclose(
        motion((model, plain, plain), "refined"),
        motion((model, plain, plain), "network"),
        atol=1e-3,
    )


def test_without_a_camera_nothing_can_be_aligned(scene):
    with pytest.raises(UserError, match="camera"):
        motion(scene, "refined", camera=None)


def test_refining_does_not_look_at_what_a_distorted_camera_did_not_see(scene):
    valid = np.zeros((CAMERA.height, CAMERA.width), bool)
    valid[3:-2, 4:-6] = True
    model, *frames = scene
    refined = []
    for seed in (1, 2):
        noise = np.random.default_rng(seed).integers(0, 256, frames[0].shape, dtype=np.uint8)
        pair = [np.where(valid[..., None], image, noise) for image in frames]
        refined.append(motion((model, *pair), "refined", replace(CAMERA, valid=valid)))
    np.testing.assert_array_equal(refined[0], refined[1])
    assert angle(refined[0][:3, :3].T @ true_motion()[:3, :3]) < 0.01


@pytest.mark.parametrize("name", ["network", "refined"])
def test_the_solver_is_imported_before_the_first_frame_and_only_for_refining(
    scene, name, monkeypatch
):
    solver = "monodepth_ros.geometry.patch_alignment"
    monkeypatch.delitem(sys.modules, solver, raising=False)
    load_method(name, load_engine(scene[0], device="cpu", size=(128, 192)))
    assert (solver in sys.modules) == (name == "refined")
