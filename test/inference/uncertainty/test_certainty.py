"""Terms, error model, views, familiarity, and the one number that follows from them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import erf
from scipy.stats import norm

from monodepth_ros.inference.uncertainty import certainty as module
from monodepth_ros.inference.uncertainty.certainty import certainty, confidence_of, stddev_of
from monodepth_ros.inference.uncertainty.error_model import UNCALIBRATED, relative_stddev
from monodepth_ros.inference.uncertainty.familiarity import (
    STATISTICS,
    distance,
    familiarity,
    statistics,
)
from monodepth_ros.inference.uncertainty.half_size import halved
from monodepth_ros.inference.uncertainty.terms import WITH_HEAD, WITHOUT_HEAD, error_terms
from monodepth_ros.inference.uncertainty.views import MAX_VIEWS, spread, views_of
from monodepth_ros.zoo.card import ErrorModel, Familiar, ModelCard, Provenance

SIZE = (64, 96)
HALF = (32, 48)


def textured(seed: int = 0) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    return np.kron(random.integers(40, 220, (16, 24, 3)), np.ones((4, 4, 1))).astype(np.uint8)


def ramp(slope: float) -> NDArray[np.float32]:
    """Inverse depth whose log depth rises by ``slope`` from left to right of a square."""
    log_depth = slope * np.arange(SIZE[1], dtype=np.float32) / SIZE[0]
    return np.tile(np.exp(-log_depth), (SIZE[0], 1)).astype(np.float32)


def card(error_model: ErrorModel | None) -> ModelCard:
    return ModelCard(
        name="some",
        licence="none",
        provenance=Provenance(data="none"),
        architecture="monodepth2-slim",
        size=SIZE,
        error_model=error_model,
    )


def test_terms_of_a_ramp() -> None:
    terms = error_terms(ramp(0.8), WITHOUT_HEAD)
    inner = (slice(None), slice(36, 60))
    np.testing.assert_allclose(terms["slope"][inner], np.log(0.8 + 0.128), rtol=1e-3)
    np.testing.assert_allclose(terms["edge"][inner], np.log(0.128), atol=0.02)
    offset = np.abs(0.8 * (np.arange(SIZE[1]) - (SIZE[1] - 1) / 2) / SIZE[0])
    around = np.convolve(offset, np.full(33, 1 / 33), "valid")  # half the height, and the middle
    np.testing.assert_allclose(terms["offset"][0, 16:-16], around, atol=0.01)
    border = terms["border"]
    assert border[0, 0] == border[-1, -1] == pytest.approx(1) and border[32, 48] < 1e-3
    assert border[32, 0] == pytest.approx(2 / 3, abs=1e-3)
    assert border[0, 48] == pytest.approx(1 / 3, abs=1e-3)


def test_terms_do_not_know_the_unit() -> None:
    inverse = np.random.default_rng(0).uniform(0.1, 2, SIZE).astype(np.float32)
    one, other = (error_terms(scaled, WITHOUT_HEAD) for scaled in (inverse, 7 * inverse))
    assert set(one) == set(WITHOUT_HEAD)
    for name in WITHOUT_HEAD:
        np.testing.assert_allclose(one[name], other[name], atol=1e-4)


def test_only_what_is_asked_for_is_computed() -> None:
    told = np.array([[-2.0, -2.0], [-4.0, -4.0]], np.float32)
    terms = error_terms(ramp(0.8), WITH_HEAD, told)
    assert set(terms) == set(WITH_HEAD)
    assert set(error_terms(ramp(0.8), WITH_HEAD)) == {"edge", "offset", "border"}
    head = terms["head"]
    assert head.shape == SIZE and (head[0] == -1).all() and (head[-1] == -2).all()
    assert head[31, 0] > -1.5 > head[32, 0]


def test_error_model_is_a_weighted_sum() -> None:
    """Of the terms of half the size, where each pixel is the mean of four."""
    inverse = np.random.default_rng(0).uniform(0.1, 2, SIZE).astype(np.float32)
    model = ErrorModel(intercept=-1.0, slope=0.5, edge=-0.2, offset=0.3, border=0.1, head=0.7)
    log_variance = np.random.default_rng(1).normal(-3, 1, SIZE).astype(np.float32)
    half = inverse.reshape(32, 2, 48, 2).mean((1, 3))
    told = cv2.resize(log_variance, HALF[::-1])
    terms = error_terms(half, WITHOUT_HEAD)
    total = -1 + 0.5 * terms["slope"] - 0.2 * terms["edge"] + 0.3 * terms["offset"]
    total = total + 0.1 * terms["border"]
    for found, log_stddev in (
        (relative_stddev(inverse, model), total),
        (relative_stddev(inverse, model, log_variance), total + 0.35 * told),
    ):
        np.testing.assert_allclose(found, np.exp(log_stddev), rtol=1e-4)


@pytest.mark.parametrize("stddev", [0.01, 0.1, 0.2, 0.5, 2.0])
def test_confidence_is_the_probability_of_25_percent(stddev: float) -> None:
    known = np.full((2, 2), 1 / stddev, np.float32)
    expected = erf(math.log(1.25) / stddev / math.sqrt(2))
    assert expected == pytest.approx(1 - 2 * norm.sf(math.log(1.25), scale=stddev))
    np.testing.assert_allclose(confidence_of(known), expected, atol=6e-4)
    np.testing.assert_allclose(stddev_of(known), stddev, rtol=1e-6)


def test_nothing_known() -> None:
    nothing = np.array([0.0, 0.05], np.float32)
    np.testing.assert_allclose(confidence_of(nothing), [0, 0.0089], atol=6e-4)
    assert np.isnan(stddev_of(nothing)).all()
    inverse = np.full(SIZE, np.nan, np.float32)
    assert (certainty(textured(), inverse, card(None)) == 0).all()


def test_pixels_without_depth_spoil_no_others() -> None:
    """They count as the middle of the scene; there is no depth of which it could be told."""
    inverse = ramp(0.5)
    usual = certainty(textured(), inverse, card(None))
    inverse[3, 4], inverse[5, 6], inverse[7, 8] = np.nan, 0, np.inf
    known = certainty(textured(), inverse, card(None))
    assert known.shape == HALF and (known > 0).all() and np.isfinite(known).all()
    np.testing.assert_allclose(known[20:, 20:], usual[20:, 20:], rtol=0.02)


def test_views_add_their_variance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "evidence", lambda image: np.ones(HALF, np.float32))
    inverse, image = ramp(0.5), textured()
    plain = 1 / certainty(image, inverse, card(None))
    other = inverse * np.where(np.arange(SIZE[1]) < 48, 1.2, 0.8).astype(np.float32)
    views = other[None, :, ::-1]
    compared = 1 / certainty(image, inverse, card(None), of_views=views)
    apart = halved(spread(inverse, views))
    np.testing.assert_allclose(compared**2, plain**2 + apart**2, rtol=1e-4)


def test_spread_is_that_of_log_depth_without_a_factor() -> None:
    """Of two: half of what they are apart. A whole view that is nearer says nothing."""
    inverse = ramp(0.5)
    views = views_of(textured(), MAX_VIEWS)
    assert views.shape == (MAX_VIEWS, *SIZE, 3) and views.dtype == np.uint8
    np.testing.assert_array_equal(views[0], textured()[:, ::-1])
    assert spread(inverse, 3 * inverse[None, :, ::-1]).max() < 1e-6
    apart = inverse.copy()
    apart[:, :30] *= np.exp(np.float32(0.3))
    found = spread(inverse, apart[None, :, ::-1])
    np.testing.assert_allclose(found[:, :30], 0.15, rtol=1e-4)
    np.testing.assert_allclose(found[:, 30:], 0, atol=1e-6)


def test_a_crop_says_nothing_of_the_border() -> None:
    """It shows 7/8 of each side; what it does not show goes by the other views."""
    inverse = np.ones(SIZE, np.float32)
    doubtful = np.ones((5, *SIZE), np.float32)
    doubtful[4, :, :48] = 4.0  # the left half of the crop
    found = spread(inverse, doubtful)
    assert (found[:4] == 0).all() and (found[:, :6] == 0).all() and found[30, 20] > 0.1


FAMILIAR = Familiar(
    mean=[0.5] * len(STATISTICS), covariance=(0.01 * np.eye(len(STATISTICS))).tolist(), limit=2.0
)


def test_distance_and_familiarity() -> None:
    found = np.full(len(STATISTICS), 0.5)
    found[0] += 0.5
    assert distance(found, FAMILIAR) == pytest.approx(5)
    image, inverse = textured(), ramp(0.5)
    own = statistics(image, inverse)
    for off, expected in ((0.0, 1.0), (0.19, 1.0), (0.4, 0.25), (2.0, 0.01)):
        mean = own.copy()
        mean[2] += off
        familiar = FAMILIAR.model_copy(update={"mean": mean.tolist()})
        assert familiarity(image, inverse, familiar) == pytest.approx(expected, rel=1e-6)
    assert familiarity(image, inverse, None) == 1


def test_statistics_by_hand() -> None:
    """Columns of two grey levels, a pixel wide: full fine detail, none in a smaller image."""
    image = np.zeros((*SIZE, 3), np.uint8)
    image[:, ::2] = 100
    image[..., 0] += 10
    found = dict(zip(STATISTICS, statistics(image, ramp(0.64)), strict=True))
    red = 10 * 0.299
    assert found["brightness"] == pytest.approx((50 + red) / 255, abs=2e-3)
    assert found["contrast"] == pytest.approx(50 / 255, abs=2e-3)
    assert found["detail"] == pytest.approx(np.log(50.1), abs=0.01)
    assert found["coarseness"] == pytest.approx(np.log(0.1 / 50.1), abs=0.1)
    assert found["chroma"] == pytest.approx(10 / 255)
    assert found["depth_spread"] == pytest.approx(0.9 * 0.64 * 92 / 64, rel=0.02)


def test_what_is_not_familiar_lowers_confidence_everywhere() -> None:
    image, inverse = textured(), ramp(0.5)
    far = FAMILIAR.model_copy(update={"mean": (statistics(image, inverse) + 0.4).tolist()})
    plain = certainty(image, inverse, card(UNCALIBRATED))
    factor = familiarity(image, inverse, far)
    assert factor < 0.2
    with_far = UNCALIBRATED.model_copy(update={"familiar": far})
    np.testing.assert_allclose(certainty(image, inverse, card(with_far)), factor * plain, rtol=1e-5)
