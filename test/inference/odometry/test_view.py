"""What a view shows of a frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthRequest
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.network_input import network_input
from monodepth_ros.inference.odometry.view import Views
from monodepth_ros.zoo.weights import save_model

WIDE = PinholeCamera.from_focal_length(1280, 720, 900.0, 910.0, 640.3, 351.0)


def stripes(height: int, width: int) -> np.ndarray:
    """Columns of two grey levels, two pixels wide, so that halves are plain."""
    columns = np.tile([40, 40, 80, 80], width // 4)
    return np.broadcast_to(columns[None, :, None], (height, width, 3)).astype(np.uint8)


def test_a_wide_image_is_seen_at_640_pixels_by_the_camera_of_that_size(model: Path) -> None:
    view = Views(load_engine(model, device="cpu"), True).view(stripes(720, 1280), WIDE, 5)
    assert view.stamp == 5 and view.grey.shape == (360, 640) and view.grey.dtype == np.uint8
    np.testing.assert_array_equal(view.grey[0, :4], [40, 80, 40, 80])
    np.testing.assert_allclose(view.camera.K[0], [450.0, 0.0, 640.8 / 2 - 0.5])
    np.testing.assert_allclose(view.camera.K[1], [0.0, 455.0, 351.5 / 2 - 0.5])
    assert view.seen_by is WIDE


def test_a_small_image_is_seen_as_it_is(model: Path) -> None:
    small = PinholeCamera.from_focal_length(96, 64, 80.0, 80.0, 48.0, 32.0)
    rgb = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    view = Views(load_engine(model, device="cpu"), True).view(rgb, small)
    assert view.camera is small
    np.testing.assert_allclose(view.grey, rgb @ [0.299, 0.587, 0.114], atol=0.51)


def test_the_camera_at_that_size_is_one_object_and_knows_what_it_does_not_see(model: Path) -> None:
    valid = np.ones((720, 1280), bool)
    valid[:, :100] = False
    views = Views(load_engine(model, device="cpu"), True)
    camera = replace(WIDE, valid=valid)
    first, second = (views.view(stripes(720, 1280), camera) for _ in range(2))
    assert first.camera is second.camera and first.camera.valid is not None
    np.testing.assert_array_equal(first.camera.valid[7, 48:52], [False, False, False, True])


def test_the_memory_of_the_image_may_be_used_again(model: Path) -> None:
    rgb = stripes(64, 96).copy()
    camera = PinholeCamera.from_focal_length(96, 64, 80.0, 80.0, 48.0, 32.0)
    view = Views(load_engine(model, device="cpu"), True).view(rgb, camera)
    rgb[:] = 0
    assert view.grey.min() == 40 and view.frames.pixels().min() == 40


def test_grey_images_are_made_for_those_who_ask(model: Path) -> None:
    engine = load_engine(model, device="cpu")
    assert Views(engine, False).view(stripes(720, 1280), WIDE).picture is None
    unknown = Views(engine, True).view(stripes(720, 1280), None)
    for name in ("grey", "camera"):
        with pytest.raises(UserError, match="intrinsics are needed"):
            getattr(unknown, name)


def test_depth_is_computed_once_and_in_the_unit_of_the_model(
    tmp_path: Path, card: Any, states: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"scale": "metric", "factor": 3.0, "focal_length": 60.0}
    save_model(tmp_path / "metric", card.model_copy(update=changes), states)
    engine = load_engine(tmp_path / "metric", device="cpu")
    camera = PinholeCamera.from_focal_length(96, 64, 120.0, 120.0, 48.0, 32.0)
    view = Views(engine, False).view(stripes(64, 96), camera)
    expected = engine.inverse_depth(view.frames)[0] / 6.0
    calls: list[int] = []
    inverse_depth = engine.inverse_depth
    monkeypatch.setattr(engine, "inverse_depth", lambda f: (calls.append(1), inverse_depth(f))[1])
    np.testing.assert_allclose(view.inverse_depth(), expected, rtol=1e-6)
    assert view.inverse_depth().dtype == np.float32 and len(calls) == 1
    seen = DepthEstimator(engine).estimate(view.seen, camera)
    assert len(calls) == 2 and seen.scale == "metric"
    assert (view.unit.factor, view.unit.label) == (6.0, "metric")


def test_depth_that_was_estimated_in_a_batch_is_not_computed_again(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load_engine(model, device="cpu")
    camera = PinholeCamera.from_focal_length(96, 64, 80.0, 80.0, 48.0, 32.0)
    images = [network_input(engine, np.roll(stripes(64, 96), k, 1)) for k in range(2)]
    requests = [DepthRequest(images[0], camera, True), DepthRequest(images[1], camera)]
    predictions = DepthEstimator(engine).estimate_batch(requests)
    monkeypatch.setattr(engine, "inverse_depth", None)
    for image, prediction in zip(images, predictions, strict=True):
        view = Views(engine, True).view(image, camera)
        np.testing.assert_array_equal(view.inverse_depth(), prediction.disparity)


def test_the_same_frame_for_another_model(model: Path) -> None:
    engine, other = (load_engine(model, device="cpu") for _ in range(2))
    view = Views(engine, True).view(stripes(720, 1280), WIDE, 5)
    view.inverse_depth()
    same = view.for_engine(other)
    assert same.engine is other and same.stamp == 5 and same.picture is view.picture
    np.testing.assert_array_equal(same.frames.pixels(), view.frames.pixels())
    assert same.inverse_depth() is not view.inverse_depth()
