"""Metres of a network's inverse depth, and how sure they are."""

from __future__ import annotations

import numpy as np
import pytest

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthPrediction
from monodepth_ros.inference.scale.unit import Scale, scale_of
from monodepth_ros.zoo.card import Metres, ModelCard, Provenance

Q = np.float32([[0.5, 1.0, 2.0]])


def card(**values: object) -> ModelCard:
    return ModelCard(
        name="any",
        licence="Apache-2.0",
        provenance=Provenance(data="nothing"),
        architecture="monodepth2-slim",
        size=(64, 96),
        **values,
    )


def test_inverse_depth_is_a_power_scaled_and_shifted() -> None:
    scale = Scale(2.0, "metric", shift=0.1, exponent=2.0)
    np.testing.assert_allclose(scale.inverse_depth(Q), Q**2 / 2 + 0.1, rtol=1e-6)


def test_a_calibrated_card_gives_metres_of_any_ambiguity() -> None:
    fit = Metres(scale=0.5, shift=0.2, exponent=1.5, deviation=0.1, frames=3, points=90, data="me")
    affine = card(ambiguity="scale_and_shift", scale="metric", metres=fit)
    assert not affine.unknown_shift and card(ambiguity="scale_and_shift").unknown_shift
    assert scale_of(affine, None, (64, 96)) == Scale(2.0, "metric", 0.2, 1.5)


def test_metres_go_with_the_focal_length_also_after_a_calibration() -> None:
    fit = Metres(scale=0.5, shift=0.2, deviation=0.1, frames=3, points=90, data="me")
    calibrated = card(scale="metric", metres=fit, focal_length=50.0)
    camera = PinholeCamera.centred(64, 96, 100.0)
    scale = scale_of(calibrated, camera, (64, 96))
    # Twice the focal length: all is twice as far away.
    np.testing.assert_allclose(scale.inverse_depth(Q), (0.5 * Q + 0.2) / 2, rtol=1e-6)


def test_a_shift_dilutes_the_relative_error_of_the_network() -> None:
    scale = Scale(1.0, "metric", shift=1.0)
    known = np.full_like(Q, 10.0)  # 10 % of what the network gives
    metric = scale.inverse_depth(Q)
    np.testing.assert_allclose(1 / scale.certainty(known, metric), 0.1 * Q / metric, rtol=1e-5)


def test_the_errors_of_scale_and_shift_add_to_it() -> None:
    covariance = np.array([[0.02, 0.003], [0.003, 0.004]])
    scale = Scale(0.5, "metric", 0.3, 1.2, covariance)
    metric = scale.inverse_depth(Q).astype(float)
    # By drawing errors of what the network gives, of the scale and of the shift.
    generator = np.random.default_rng(0)
    small = 1e-3
    log_scale, shift = generator.multivariate_normal([0, 0], covariance, 200_000).T * small
    log_q = generator.normal(0, 0.1, (200_000, 1)) * small
    drawn = (Q * np.exp(log_q)) ** 1.2 * 2 * np.exp(log_scale)[:, None] + 0.3 + shift[:, None]
    expected = np.log(drawn).std(0) / small
    told = 1 / scale.certainty(np.full_like(Q, 10.0), metric.astype(np.float32))
    np.testing.assert_allclose(told[0], expected, rtol=0.01)


def test_what_the_network_knows_nothing_of_stays_unknown() -> None:
    scale = Scale(1.0, "metric", 0.5, covariance=np.diag([0.01, 0.0]))
    told = scale.certainty(np.float32([[0.0, 5.0]]), np.float32([[1.0, np.nan]]))
    assert told.tolist() == [[0.0, 0.0]]


def prediction(disparity: np.ndarray) -> DepthPrediction:
    seen = DepthPrediction(disparity, "relative", None)
    return seen.rated(np.full_like(disparity, 5.0), calibrated=True)


def test_a_prediction_of_unknown_shift_is_valid_where_it_is_positive_in_metres() -> None:
    seen = prediction(np.float32([[-1.0, 0.0, 1.0]]))
    assert np.isnan(seen.depth[0]).tolist() == [True, True, False]
    metres = seen.in_metres(Scale(2.0, "metric", 0.25))
    np.testing.assert_allclose(metres.depth, [[np.nan, 4.0, 4 / 3]], rtol=1e-6)
    assert metres.scale == "metric" and metres.confidence[0, 0] == 0


def test_an_uncertain_scale_lowers_confidence_and_widens_the_deviation() -> None:
    seen = prediction(Q)
    sure, unsure = (
        seen.in_metres(Scale(2.0, "metric", covariance=c)) for c in (None, np.diag([0.09, 0.0]))
    )
    np.testing.assert_allclose(sure.confidence, seen.confidence)
    np.testing.assert_allclose(unsure.depth, sure.depth)
    assert (unsure.confidence < sure.confidence).all()
    expected = unsure.depth * np.sqrt(0.2**2 + 0.3**2)
    np.testing.assert_allclose(unsure.stddev, expected, rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"factor": 2.0, "scale": "metric"}, {"scale": "relative"}])
def test_metres_belong_to_a_metric_card(wrong: dict) -> None:
    fit = Metres(scale=0.5, deviation=0.1, frames=3, points=90, data="me")
    with pytest.raises(ValueError, match="metres belongs to scale: metric"):
        card(metres=fit, **wrong)
