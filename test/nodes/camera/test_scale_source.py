"""What a scale source refuses for models that leave the shift open as well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from monodepth_ros.errors import UserError
from monodepth_ros.inference.scale.unit import RELATIVE
from monodepth_ros.nodes.camera.scale_source import ScaleSource


def node(**parameters: object) -> Any:
    """One that knows these parameters and has no topics."""
    values = {"scale_factor": 0.0, "camera_height": 1.2, **parameters}
    return SimpleNamespace(get_parameter=lambda name: SimpleNamespace(value=values[name]))


@pytest.mark.parametrize("source", ["fixed", "speed", "camera_height"])
def test_a_source_without_shift_is_refused_by_its_name(source: str) -> None:
    said = rf"up to scale and shift: scale_source {source} alone makes no metres .* odometry"
    with pytest.raises(UserError, match=said):
        ScaleSource(node(scale_source=source, scale_factor=2.0), "affine", with_shift=True)


def test_a_factor_to_begin_with_is_refused_as_well() -> None:
    with pytest.raises(UserError, match="scale_factor alone makes no metres"):
        ScaleSource(node(scale_source="odometry", scale_factor=2.0), "affine", with_shift=True)


def test_without_a_source_it_is_in_its_own_unit() -> None:
    source = ScaleSource(node(scale_source="none"), "affine", with_shift=True)
    assert source.scale == RELATIVE and not source.in_use


def test_other_models_take_a_factor() -> None:
    source = ScaleSource(node(scale_source="fixed", scale_factor=2.0), "any")
    assert source.factor == 2.0
