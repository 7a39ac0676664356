"""Motions by geometry while it holds, else by what else the model has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import motion_of
from monodepth_ros.inference.odometry.geometry import GeometricMotion
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.refined import RefinedMotion
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.inference.odometry.view import View, Views
from monodepth_ros.zoo.weights import save_model

CAMERA = PinholeCamera.from_focal_length(96, 64, 80.0, 80.0, 48.0, 32.0)
STEP = {name: motion_of(np.array([x, 0, 0, 0, 0, 0])) for name, x in (("a", 0.1), ("b", 0.7))}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, View, View]]:
    """Every call of a member: it loses its points at the views stamped 2 and 3."""
    calls = []

    def geometric(method: Any, earlier: View, later: View) -> Motion:
        calls.append(("geometry", earlier, later))
        lost = "too few points" if later.stamp in (2, 3) else ""
        return Motion(STEP["a"], "geometry", np.eye(6), 0 if lost else 90, fallback=lost)

    def refined(method: Any, earlier: View, later: View) -> Motion:
        calls.append(("refined", earlier, later))
        return Motion(STEP["b"], "refined")

    monkeypatch.setattr(GeometricMotion, "motion", geometric)
    monkeypatch.setattr(RefinedMotion, "motion", refined)
    return calls


def play(model: Path) -> list[Motion]:
    method = load_method("auto", model, "cpu")
    views = Views(method.engine, method.sees_grey)
    image = np.zeros((64, 96, 3), np.uint8)
    shown = [views.view(image, CAMERA, stamp) for stamp in range(5)]
    return [method.motion(*pair) for pair in zip(shown, shown[1:], strict=False)]


def test_where_geometry_lost_its_points_the_motion_is_refined(model: Path, seen: Any) -> None:
    motions = play(model)
    assert [m.method for m in motions] == ["geometry", "refined", "refined", "geometry"]
    assert [m.fallback for m in motions] == ["", "too few points", "too few points", ""]
    assert motions[1].T_earlier_later[0, 3] == 0.7 and motions[1].covariance is None
    assert motions[0].inliers == 90


def test_geometry_sees_every_view_and_the_other_only_what_it_is_asked_for(
    model: Path, seen: Any
) -> None:
    play(model)
    stamps = {name: [later.stamp for n, _, later in seen if n == name] for name, _, _ in seen}
    assert stamps == {"geometry": [1, 2, 3, 4], "refined": [2, 3]}


def test_a_model_without_a_pose_network_has_geometry_alone(
    tmp_path: Path, card: Any, states: Any, seen: Any
) -> None:
    save_model(tmp_path / "deep", card, {"depth": states["depth"]})
    motions = play(tmp_path / "deep")
    assert [m.method for m in motions] == ["geometry"] * 4
    assert motions[1].fallback == "too few points"


@pytest.mark.parametrize("name", ["network", "refined"])
def test_methods_that_need_a_pose_network_name_those_that_do_not(
    tmp_path: Path, card: Any, states: Any, name: str
) -> None:
    save_model(tmp_path / "deep", card, {"depth": states["depth"]})
    told = f"method {name}: model tiny has no pose network: use method geometry or auto, or a model"
    with pytest.raises(UserError, match=told):
        load_method(name, tmp_path / "deep", "cpu")
