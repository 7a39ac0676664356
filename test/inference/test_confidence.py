"""Where an image shows nothing, confidence is low, whatever the network says of it twice."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.inference.confidence import agreement, evidence
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.share_directory import share_directory

HEIGHT, WIDTH = 240, 320
LOW = 0.1


@pytest.fixture(scope="module")
def estimator() -> DepthEstimator:
    return DepthEstimator("demo", "cpu")


def confidence(estimator: DepthEstimator, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    seen = estimator.estimate(rgb, with_confidence=True).confidence
    assert seen is not None
    return seen


def walk(index: int = 30) -> NDArray[np.uint8]:
    """A frame of the walk that comes with the package, larger than the network's."""
    (sequence,) = open_sequence(share_directory() / "models/demo/sample_walk")
    return np.asarray(cv2.resize(sequence.image(index), (WIDTH, HEIGHT)), np.uint8)


@pytest.mark.parametrize("value", [0, 1, 90, 128, 254, 255])
def test_an_image_of_one_colour(estimator: DepthEstimator, value: int) -> None:
    plain = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
    assert confidence(estimator, plain).max() < LOW
    coloured = plain.copy()
    coloured[..., 0] = 200
    assert confidence(estimator, coloured).max() < LOW


def test_a_covered_lens_with_noise_of_its_sensor(estimator: DepthEstimator) -> None:
    noise = np.random.default_rng(0).normal(3, 2, (HEIGHT, WIDTH, 3)).clip(0, 255)
    assert np.median(confidence(estimator, noise.astype(np.uint8))) < 0.7
    assert confidence(estimator, np.minimum(noise, 2).astype(np.uint8)).max() < LOW


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("left", [True, False])
def test_a_half_that_is_covered(estimator: DepthEstimator, value: int, left: bool) -> None:
    rgb = walk()
    half = slice(0, WIDTH // 2) if left else slice(WIDTH // 2, WIDTH)
    rgb[:, half] = value
    seen = confidence(estimator, rgb)
    inner = slice(20, WIDTH // 2 - 20) if left else slice(WIDTH // 2 + 20, WIDTH - 20)
    free = slice(WIDTH // 2 + 20, WIDTH - 20) if left else slice(20, WIDTH // 2 - 20)
    assert seen[:, inner].max() < LOW
    assert seen[:, free].mean() > 0.4 > 3 * seen[:, half].mean()


def test_textured_frames_keep_what_the_network_agrees_on(estimator: DepthEstimator) -> None:
    kept = [float(evidence(input_of(estimator, walk(index))).mean()) for index in range(0, 150, 15)]
    assert np.mean(kept) > 0.95


def test_real_frames_keep_it_mostly(real_data: Path, estimator: DepthEstimator) -> None:
    for recording in ("7scenes_redkitchen@0:700:70", "hololens_office@0:240:24"):
        (sequence,) = open_sequence(real_data / recording)
        inputs = [input_of(estimator, sequence.image(k)) for k in range(len(sequence))]
        kept = np.stack([evidence(image) for image in inputs])
        assert kept.mean() > 0.9 and (kept == 1).mean() > 0.85


def input_of(estimator: DepthEstimator, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return estimator.engine.prepare(rgb[None]).pixels()[0]


def test_evidence_is_contrast_up_to_one_and_a_half_grey_levels() -> None:
    """Stripes of a known standard deviation; windows of nine hold them unevenly, by 1.2 %."""
    for channels, step in ((2, 1), (1, 5), (3, 2), (3, 6)):
        stripes = np.full((24, 36, 3), 127, np.uint8)
        stripes[:, ::2, :channels] += np.uint8(step)
        level = channels * step / 3 / 2  # of the grey image, up and down
        seen = evidence(stripes)[4:-4, 4:-4]
        np.testing.assert_allclose(seen, np.full((16, 28), min(1.0, level / 1.5)), rtol=0.02)


def test_agreement_is_a_ratio() -> None:
    one, other = np.array([2.0, 1.0, np.nan, 0.0]), np.array([1.0, 4.0, 1.0, 0.0])
    assert agreement(one, other).tolist() == [0.5, 0.25, 0.0, 0.0]
