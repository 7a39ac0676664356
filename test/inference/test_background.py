"""Black background is told from a body: on a rendered asteroid among stars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from monodepth_ros.data.bags.frames import RecordedFrame
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.background import black_background, checked_background
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.odometry.tracker_settings import TrackerSettings
from monodepth_ros.replay.record import ReplayRecord
from monodepth_ros.replay.run import ReplayRun

HEIGHT, WIDTH, RADIUS = 240, 320, 80
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
BODY = np.hypot(X - 160, Y - 120) < RADIUS
CRATERS = [(120, 100, 6), (140, 150, 8), (105, 130, 4), (150, 90, 9)]


def asteroid(noise: float = 2.0, stars: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """A sphere lit from the left with rough ground and shadows in craters, and its brightness."""
    random = np.random.default_rng(1)
    x, y = (X - 160) / RADIUS, (Y - 120) / RADIUS
    z = np.sqrt(np.maximum(1 - x * x - y * y, 0))
    normals = np.stack([x, y, z])
    light = np.array([-0.9, -0.1, 0.4]) / np.linalg.norm([-0.9, -0.1, 0.4])
    shading = np.maximum(np.tensordot(light, normals, 1), 0) ** 0.5
    rough = 0.85 + 0.15 * np.sin(X * 0.9) * np.cos(Y * 1.1)
    brightness = 200 * shading * rough * BODY
    for cx, cy, radius in CRATERS:
        brightness[np.hypot(X - cx, Y - cy) < radius] = 0
    sky = brightness.copy()
    for _ in range(stars):
        row, column = random.integers(0, HEIGHT - 2), random.integers(0, WIDTH - 2)
        if not BODY[row - 3 : row + 5, column - 3 : column + 5].any():
            side = random.integers(1, 4)
            sky[row : row + side, column : column + side] = random.integers(60, 256)
    rgb = sky[..., None] + random.normal(0, noise, (HEIGHT, WIDTH, 3))
    return rgb.clip(0, 255).astype(np.uint8), brightness


@pytest.mark.parametrize("noise", [0.0, 2.0, 4.0])
def test_space_is_out_and_the_limb_stays(noise: float) -> None:
    rgb, brightness = asteroid(noise)
    found = black_background(rgb)
    lit = brightness > 30
    assert not found[lit].any()  # the limb to its last pixel
    assert found[~BODY].mean() > 0.999  # stars as well


def test_shadows_inside_stay_and_the_night_side_goes() -> None:
    rgb, brightness = asteroid()
    found = black_background(rgb)
    for x, y, radius in CRATERS:
        assert not found[np.hypot(X - x, Y - y) < radius].any()
    night = BODY & (X > 160) & (brightness == 0)
    assert night.sum() > 1000 and found[night].mean() > 0.95


def test_stars_alone_make_no_body() -> None:
    rgb, _ = asteroid()
    rgb[BODY] = 0
    assert black_background(rgb).all()


def test_ordinary_images_are_kept() -> None:
    random = np.random.default_rng(2)
    rough = random.integers(0, 17, (HEIGHT, WIDTH, 1), dtype=np.uint8).repeat(3, 2)
    assert not black_background(rough).any()  # dark ground, yet with texture
    for level in (17, 90, 255):
        assert not black_background(np.full((HEIGHT, WIDTH, 3), level, np.uint8)).any()
    blue = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    blue[..., 2] = 40
    assert not black_background(blue).any()
    screen = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    screen[100:115, 100:120] = 0  # 0.4 % of the image
    assert not black_background(screen).any()
    assert black_background(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).all()


def test_an_unknown_background_is_refused() -> None:
    assert checked_background("black_invalid") == "black_invalid"
    with pytest.raises(UserError, match="background 'black': use keep or black_invalid"):
        checked_background("black")


@pytest.mark.parametrize("output_size", ["image", "network"])
def test_an_estimate_leaves_it_out_and_counts_it(output_size: str) -> None:
    rgb, _ = asteroid()
    kept = DepthEstimator("demo", "cpu", output_size).estimate(rgb, with_confidence=True)
    estimator = DepthEstimator("demo", "cpu", output_size, background="black_invalid")
    found = estimator.estimate(rgb, with_confidence=True)
    out = np.isnan(found.disparity)
    assert kept.background_pixels == 0 and kept.valid_pixels == out.size
    assert found.background_pixels == out.sum() and 0.7 < out.mean() < 0.9
    if output_size == "image":
        np.testing.assert_array_equal(out, black_background(rgb))
    np.testing.assert_array_equal(found.disparity[~out], kept.disparity[~out])
    assert found.confidence is not None and not found.confidence[out].any()


def test_a_replay_counts_it(tmp_path: Path) -> None:
    rgb, _ = asteroid()
    camera = PinholeCamera.centred(HEIGHT, WIDTH, 300.0)
    engine = load_engine("demo", device="cpu")
    record = ReplayRecord()
    run = ReplayRun(engine, TrackerSettings(), tmp_path, record, background="black_invalid")
    run._rerun = None
    run.take(RecordedFrame(rgb, camera, stamp=0))
    pixels = record.background_pixels
    assert pixels > 0.7 * engine.size[0] * engine.size[1]
    assert f"{pixels} pixels left out: black background" in record.account()
    assert record.summary()["background_pixels"] == pixels
