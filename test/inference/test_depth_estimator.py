"""Depth of frames: sizes, bounds, scale, and what is not a frame."""

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_linear
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthRequest
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.network_input import network_input
from monodepth_ros.inference.uncertainty.certainty import certainty, confidence_of, stddev_of
from monodepth_ros.zoo.card import ErrorModel, load_card
from monodepth_ros.zoo.weights import load_weights, save_model


def frame(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def textured(height: int, width: int) -> np.ndarray:
    """Squares of four pixels: noise of single ones shows nothing."""
    return np.kron(frame(height // 4, width // 4), np.ones((4, 4, 1), np.uint8))


def camera(height: int, width: int, focal: float) -> PinholeCamera:
    return PinholeCamera.from_focal_length(width, height, focal, focal, width / 2, height / 2)


def metric(tmp_path, card, states, **changes):
    save_model(tmp_path, card.model_copy(update={"scale": "metric"} | changes), states)
    return DepthEstimator(tmp_path, "cpu")


@pytest.mark.parametrize("size", [(64, 96), (37, 51), (1, 1), (200, 31)])
def test_depth_has_the_size_of_the_image_or_of_the_network(model, size):
    image = DepthEstimator(model, "cpu").estimate(frame(*size))
    network = DepthEstimator(model, "cpu", output_size="network").estimate(frame(*size))
    assert image.depth.shape == image.disparity.shape == size
    assert network.depth.shape == (64, 96)
    for prediction in (image, network):
        assert prediction.depth.dtype == prediction.disparity.dtype == np.float32
        assert np.isfinite(prediction.depth).all()
        assert prediction.depth.min() >= 0.1
        assert prediction.depth.max() <= 100.0
        np.testing.assert_allclose(prediction.depth * prediction.disparity, 1.0, rtol=1e-6)
        assert prediction.scale == "relative"


def test_at_the_networks_size_depth_is_the_inverse_of_the_networks_output(model):
    estimator = DepthEstimator(model, "cpu")
    rgb = frame(64, 96)
    inverse = estimator.engine.inverse_depth(estimator.engine.prepare(rgb[None]))[0]
    np.testing.assert_array_equal(estimator.estimate(rgb).disparity, inverse)
    np.testing.assert_array_equal(estimator.estimate(rgb).depth, 1 / inverse)


def test_another_network_size(model):
    engine = load_engine(model, device="cpu", size=(32, 64))
    estimator = DepthEstimator(engine, output_size="network")
    assert estimator.estimate(frame(50, 50)).depth.shape == (32, 64)
    with pytest.raises(UserError, match="network size 60x32"):
        DepthEstimator(load_engine(model, device="cpu", size=(32, 60)))


def test_resizing_averages_what_it_shrinks(model):
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, ::2] = 255
    small = load_engine(model, size=(32, 32)).prepare(rgb[None]).pixels()
    assert small.shape == (1, 32, 32, 3)
    np.testing.assert_allclose(small[:, :, 2:-2], 127.5, atol=2.5)


def test_metric_scale_multiplies_depth(tmp_path, card, states, model):
    rgb = frame(40, 60)
    relative = DepthEstimator(model, "cpu").estimate(rgb)
    scaled = metric(tmp_path / "m", card, states, factor=5.4).estimate(rgb)
    assert scaled.scale == "metric"
    np.testing.assert_allclose(scaled.depth, 5.4 * relative.depth, rtol=1e-5)
    np.testing.assert_allclose(scaled.depth * scaled.disparity, 1.0, rtol=1e-5)


def test_metric_scale_follows_the_focal_length(tmp_path, card, states):
    estimator = metric(tmp_path, card, states, factor=2.0, focal_length=60.0)
    rgb = frame(128, 192)  # twice the network's size: 120 pixels here are 60 there
    same = estimator.estimate(rgb, camera(128, 192, 120.0))
    tele = estimator.estimate(rgb, camera(128, 192, 240.0))
    assert same.scale == tele.scale == "metric"
    np.testing.assert_allclose(tele.depth, 2 * same.depth, rtol=1e-5)
    unknown = estimator.estimate(rgb)
    assert unknown.scale == "relative"
    np.testing.assert_allclose(same.depth, 2 * unknown.depth, rtol=1e-5)


def test_the_camera_comes_scaled_to_the_depth(model):
    estimator = DepthEstimator(model, "cpu", output_size="network")
    prediction = estimator.estimate(frame(128, 192), camera(128, 192, 120.0))
    assert (prediction.camera.height, prediction.camera.width) == (64, 96)
    assert prediction.camera.K[0, 0] == 60.0


def test_a_camera_of_another_size_is_refused(model):
    with pytest.raises(UserError, match="192x128.*60x40"):
        DepthEstimator(model, "cpu").estimate(frame(40, 60), camera(128, 192, 100.0))


def test_what_the_network_cannot_tell_is_nan(model):
    estimator = DepthEstimator(model, "cpu")
    inverse = np.full((1, 64, 96), 0.5, np.float32)
    cannot_tell = {(3, 4): np.nan, (5, 6): np.inf, (7, 8): 0.0, (9, 10): -1.0}
    for pixel, value in cannot_tell.items():
        inverse[0][pixel] = value
    estimator.engine.inverse_depth = lambda frames: inverse
    depth = estimator.estimate(frame(64, 96)).depth
    assert all(np.isnan(depth[pixel]) for pixel in cannot_tell)
    assert np.isfinite(depth).sum() == 64 * 96 - len(cannot_tell)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        [[1, 2, 3]],
    ],
)
def test_what_is_no_frame_is_refused(model, wrong):
    with pytest.raises((TypeError, ValueError), match="frame"):
        DepthEstimator(model, "cpu").estimate(wrong)


def test_confidence_and_stddev_come_with_one_run_of_the_network(tmp_path, card, states):
    """And without a calibration there is no standard deviation."""
    rgb, rated = textured(64, 96), ErrorModel(intercept=-2.0, slope=0.1)
    for folder, error_model in (("plain", None), ("calibrated", rated)):
        save_model(tmp_path / folder, card.model_copy(update={"error_model": error_model}), states)
        estimator = DepthEstimator(tmp_path / folder, "cpu", output_size="network")
        batches, run = [], estimator.engine.inverse_depth
        estimator.engine.inverse_depth = lambda frames, run=run, batches=batches: (
            batches.append(len(frames.pixels())) or run(frames)
        )
        prediction = estimator.estimate(rgb, with_confidence=True)
        assert batches == [1]
        known = certainty(rgb, prediction.disparity, estimator.card)
        confidence = resize_linear(confidence_of(known), (64, 96))
        np.testing.assert_allclose(prediction.confidence, confidence, atol=1e-5)
        assert prediction.confidence.dtype == np.float32
        if error_model is None:
            assert prediction.stddev is None
        else:
            expected = resize_linear(stddev_of(known), (64, 96)) * prediction.depth
            np.testing.assert_allclose(prediction.stddev, expected, rtol=1e-4)
            np.testing.assert_allclose(prediction.in_metres(3.0).stddev, 3 * expected, rtol=1e-4)
        plain = estimator.estimate(rgb)
        assert plain.confidence is None and plain.stddev is None
        np.testing.assert_array_equal(plain.depth, prediction.depth)


def test_the_variance_is_asked_for_where_confidence_is_made_of_it(uncertain_model, tmp_path):
    """Not for depth alone, and not of a model whose calibration gives it no weight."""
    card = load_card(uncertain_model)
    states = load_weights(uncertain_model, card)
    for weight in (0.5, 0.0):
        rated = ErrorModel(intercept=-2.0, edge=0.1, head=weight)
        folder = tmp_path / str(weight)
        save_model(folder, card.model_copy(update={"error_model": rated}), states)
        estimator, runs = DepthEstimator(folder, "cpu"), []
        for name in ("inverse_depth", "depth_and_variance"):
            run = getattr(estimator.engine, name)
            setattr(
                estimator.engine,
                name,
                lambda frames, name=name, run=run, runs=runs: runs.append(name) or run(frames),
            )
        estimator.estimate(textured(64, 96))
        estimator.estimate(textured(64, 96), with_confidence=True)
        assert runs == ["inverse_depth", "depth_and_variance" if weight else "inverse_depth"]


def test_further_views_are_part_of_the_batch(model):
    plain = DepthEstimator(model, "cpu", output_size="network")
    views = DepthEstimator(model, "cpu", output_size="network", confidence_views=3)
    batches, run = [], views.engine.inverse_depth
    views.engine.inverse_depth = lambda frames: batches.append(len(frames.pixels())) or run(frames)
    requests = [DepthRequest(textured(64, 96), None, rated) for rated in (True, False, True)]
    found = views.estimate_batch(requests)
    assert batches == [3 + 2 * 3]
    for one, other in zip(found, plain.estimate_batch(requests), strict=True):
        np.testing.assert_allclose(one.disparity, other.disparity, rtol=1e-5)
        assert (one.confidence is None) == (other.confidence is None)
        if one.confidence is not None:
            assert (one.confidence <= other.confidence + 1e-5).all()
            assert (one.confidence < other.confidence - 1e-5).any()
    with pytest.raises(UserError, match="confidence_views 6: from 0 to 5"):
        DepthEstimator(model, "cpu", confidence_views=6)


def test_depth_of_low_confidence_can_be_left_out(model):
    prediction = DepthEstimator(model, "cpu").estimate(textured(64, 96), with_confidence=True)
    limit = float(np.median(prediction.confidence))
    kept = prediction.at_least(limit)
    low = prediction.confidence < limit
    assert 0.4 < low.mean() < 0.6
    np.testing.assert_array_equal(np.isnan(kept.depth), low)
    np.testing.assert_array_equal(kept.depth[~low], prediction.depth[~low])
    np.testing.assert_array_equal(kept.confidence, prediction.confidence)
    assert prediction.at_least(0.0) is prediction


@pytest.mark.parametrize("output_size", ["image", "network"])
def test_a_batch_of_several_cameras_is_one_run_and_each_depth_its_own(
    tmp_path, card, states, output_size
):
    saved = card.model_copy(update={"scale": "metric", "factor": 2.0, "focal_length": 60.0})
    save_model(tmp_path, saved, states)
    estimator = DepthEstimator(tmp_path, "cpu", output_size=output_size)
    sizes, confidences = [(40, 60), (64, 96), (128, 192)], [True, False, True]
    cameras = [camera(*sizes[0], 50.0), None, camera(*sizes[2], 240.0)]
    requests = [*map(DepthRequest, map(frame, *zip(*sizes, strict=True)), cameras, confidences)]
    expected = [estimator.estimate(r.image, r.camera, r.with_confidence) for r in requests]

    batches, run = [], estimator.engine.inverse_depth
    estimator.engine.inverse_depth = lambda frames: (
        batches.append(len(frames.pixels())) or run(frames)
    )
    found = estimator.estimate_batch(requests)
    assert batches == [3]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.disparity, other.disparity, rtol=1e-5)
        assert one.scale == other.scale and one.camera is other.camera
        assert (one.confidence is None) == (other.confidence is None)
        if one.confidence is not None:
            np.testing.assert_allclose(one.confidence, other.confidence, rtol=1e-5, atol=1e-6)
    assert [each.scale for each in found] == ["metric", "relative", "metric"]
    assert estimator.estimate_batch([]) == []


def test_a_robots_scale_is_in_depth_and_disparity_alike(model):
    prediction = DepthEstimator(model, "cpu").estimate(frame(64, 96), camera(64, 96, 60.0))
    metres = prediction.in_metres(4.0)
    assert (prediction.scale, metres.scale) == ("relative", "metric")
    np.testing.assert_array_equal(metres.depth, 4.0 * prediction.depth)
    np.testing.assert_array_equal(metres.disparity, prediction.disparity / 4.0)
    assert metres.camera is prediction.camera


def test_an_image_is_checked_and_resized_once_for_all_that_look_at_it(model, monkeypatch):
    engine = load_engine(model, device="cpu")
    estimator, rgb, seen_by = DepthEstimator(engine), frame(128, 192), camera(128, 192, 120.0)
    expected = estimator.estimate(rgb, seen_by)
    seen = network_input(engine, rgb, seen_by)
    monkeypatch.setattr(engine, "prepare", None)  # which nothing calls again
    prediction = estimator.estimate(seen, seen_by)
    np.testing.assert_array_equal(prediction.depth, expected.depth)
    assert network_input(engine, seen, seen_by) is seen
    with pytest.raises(UserError, match="60x40.*192x128"):
        estimator.estimate(seen, camera(40, 60, 120.0))


def test_what_was_prepared_does_not_change_with_the_callers_image(model):
    engine, rgb = load_engine(model, device="cpu"), frame(64, 96)
    frames, before = engine.prepare(rgb[None]), rgb.copy()
    expected = engine.inverse_depth(frames)
    rgb[:] = 0
    np.testing.assert_array_equal(frames.pixels()[0], before)
    np.testing.assert_array_equal(engine.inverse_depth(frames), expected)
