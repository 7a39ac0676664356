"""Where an image shows nothing, confidence is low, whatever the network says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from covered_lens import COVERS, covered, some_region
from numpy.typing import NDArray

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.uncertainty.evidence import evidence
from monodepth_ros.share_directory import share_directory

HEIGHT, WIDTH = 240, 320
LOW = 0.1


@pytest.fixture(scope="module")
def estimator() -> DepthEstimator:
    return DepthEstimator("demo", "cpu", output_size="network")


def confidence(estimator: DepthEstimator, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    seen = estimator.estimate(rgb, with_confidence=True).confidence
    assert seen is not None
    return seen


def walk(index: int = 30) -> NDArray[np.uint8]:
    """A frame of the walk that comes with the package, larger than the network's."""
    (sequence,) = open_sequence(share_directory() / "models/demo/sample_walk")
    return np.asarray(cv2.resize(sequence.image(index), (WIDTH, HEIGHT)), np.uint8)


def real_frames(real_data: Path, parts: tuple[str, ...]) -> list[NDArray[np.uint8]]:
    sequences = [one for part in parts for one in open_sequence(real_data / part)]
    return [sequence.image(k) for sequence in sequences for k in range(len(sequence))]


def hidden(rgb: NDArray[np.uint8], region: tuple[slice, slice], size: tuple[int, int]) -> NDArray:
    """The pixels at ``size`` that lie wholly inside (1) and wholly outside (0) of a region."""
    mask = np.zeros(rgb.shape[:2], np.float32)
    mask[region] = 1
    return np.asarray(cv2.resize(mask, size[::-1], interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize("value", [0, 1, 90, 128, 254, 255])
def test_an_image_of_one_colour(estimator: DepthEstimator, value: int) -> None:
    plain = np.full((HEIGHT, WIDTH, 3), value, np.uint8)
    assert confidence(estimator, plain).max() < LOW
    coloured = plain.copy()
    coloured[..., 0] = 200
    assert confidence(estimator, coloured).max() < LOW


@pytest.mark.parametrize("kind", COVERS)
def test_an_image_that_is_hidden_as_a_whole(estimator: DepthEstimator, kind: str) -> None:
    good = float(np.median(confidence(estimator, walk())))
    everything = slice(None), slice(None)
    for seed in range(3):
        nothing = covered(walk(40 * seed), kind, everything, np.random.default_rng(seed))
        assert np.median(confidence(estimator, nothing)) < 0.5 * good


def test_a_part_that_is_hidden(estimator: DepthEstimator) -> None:
    frames = [walk(index) for index in range(0, 150, 15)]
    assert np.mean([*parts_below_the_good_ones(estimator, frames)]) >= 0.9


def parts_below_the_good_ones(
    estimator: DepthEstimator, frames: list[NDArray[np.uint8]]
) -> Iterator[bool]:
    """For each frame and cover: whether the median confidence of the part is below all others'."""
    random = np.random.default_rng(0)
    for rgb in frames:
        for kind in COVERS:
            region = some_region(rgb.shape[:2], random)
            seen = confidence(estimator, covered(rgb, kind, region, random))
            inside = hidden(rgb, region, estimator.size)
            yield bool(np.median(seen[inside == 1]) < np.median(seen[inside == 0]))


def test_a_part_that_is_hidden_in_real_frames(real_data: Path, estimator: DepthEstimator) -> None:
    """Of frames that nothing was chosen on: below the median of good ones in 95 % of all cases."""
    parts = ("7scenes_redkitchen@350:700:25", "hololens_office@130:240:8")
    below = [*parts_below_the_good_ones(estimator, real_frames(real_data, parts))]
    assert len(below) == 28 * len(COVERS)
    assert np.mean(below) >= 0.95


def test_noise_is_no_structure() -> None:
    """Of pixels on their own a tenth is left between 3 and 9 pixels, of squares of 4 most of it."""
    random = np.random.default_rng(0)
    for stddev in (3, 40):
        noise = random.normal(128, stddev, (96, 128, 3)).clip(0, 255).astype(np.uint8)
        assert evidence(noise).max() < 0.2
        squares = np.kron(noise[:24, :32], np.ones((4, 4, 1), np.uint8))
        assert evidence(squares).min() == 1


def test_small_plain_parts_are_known_by_what_is_around_them() -> None:
    textured = np.kron(np.random.default_rng(1).integers(60, 200, (24, 32, 1)), np.ones((4, 4, 3)))
    for side, expected in ((6, 1.0), (60, 0.0)):
        image = textured.astype(np.uint8)
        image[18 : 18 + side, 30 : 30 + side] = 100
        part = slice(9, 9 + side // 2), slice(15, 15 + side // 2)
        assert np.median(evidence(image)[part]) == pytest.approx(expected)


def test_textured_frames_keep_what_the_network_says(estimator: DepthEstimator) -> None:
    kept = [float(evidence(input_of(estimator, walk(index))).mean()) for index in range(0, 150, 15)]
    assert np.mean(kept) > 0.95


def test_real_frames_keep_it_mostly(real_data: Path, estimator: DepthEstimator) -> None:
    for part in ("7scenes_redkitchen@0:700:70", "hololens_office@0:240:24"):
        inputs = [input_of(estimator, image) for image in real_frames(real_data, (part,))]
        kept = np.stack([evidence(image) for image in inputs])
        assert kept.mean() > 0.9 and (kept == 1).mean() > 0.85


def input_of(estimator: DepthEstimator, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return estimator.engine.prepare(rgb[None]).pixels()[0]
