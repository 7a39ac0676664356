"""Calibration: weights and intervals are found again; the command writes them into the card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.uncertainty.calibrate import RatedFrame, fit_error_model
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.uncertainty.familiarity import STATISTICS, distance
from monodepth_ros.inference.uncertainty.terms import WITHOUT_HEAD
from monodepth_ros.share_directory import share_directory
from monodepth_ros.zoo.card import load_card

NAMES = WITHOUT_HEAD
TRUE = np.array([0.6, 0.0, 0.4, -0.3])


def frames(count: int = 40, intercept: float = -2.0) -> list[RatedFrame]:
    """Errors are normal, their standard deviation is that of the true weights."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(count):
        terms = random.normal(0, 1, (2000, 4))
        errors = np.abs(np.exp(intercept + terms @ TRUE) * random.standard_normal(2000))
        made.append(RatedFrame(random.normal(1, 0.1, len(STATISTICS)), NAMES, terms, errors))
    return made


def test_weights_and_intervals_are_found_again() -> None:
    found = fit_error_model(frames(), [], "made up")
    weights = np.array([getattr(found, name) for name in NAMES])
    # What is added to small errors makes weights smaller, all by the same share.
    share = weights[0] / TRUE[0]
    assert 0.5 < share <= 1.01
    np.testing.assert_allclose(weights, share * TRUE, atol=0.02)
    rated = frames()
    stddev = [np.exp(found.intercept + f.terms @ weights) for f in rated if f.terms is not None]
    inside = [np.mean(f.errors <= s) for f, s in zip(rated, stddev, strict=True)]
    assert np.mean(inside) == pytest.approx(0.6827, abs=0.005)
    assert found.data == "made up" and found.head == 0


def test_familiar_images_are_those_of_both() -> None:
    apart = [RatedFrame(np.full(len(STATISTICS), 3.0) + f.statistics) for f in frames(20)]
    alone, both = (fit_error_model(frames(), more, "") for more in ([], apart))
    assert alone.familiar is not None and both.familiar is not None
    assert distance(apart[0].statistics, alone.familiar) > 5 * alone.familiar.limit
    assert distance(apart[0].statistics, both.familiar) < both.familiar.limit
    inside = [distance(f.statistics, alone.familiar) <= alone.familiar.limit for f in frames()]
    assert 0.97 <= np.mean(inside) < 1


def test_frames_without_truth_do_not_suffice() -> None:
    with pytest.raises(UserError, match="7 of 27 frames have true depth"):
        fit_error_model([*frames(7), *(RatedFrame(f.statistics) for f in frames(20))], [], "")


def test_command_writes_the_card(tmp_path: Path) -> None:
    demo, folder = share_directory() / "models/demo", tmp_path / "mine"
    shutil.copytree(demo, folder, ignore=shutil.ignore_patterns("sample*"))
    walk = str(demo / "sample_walk@0:60")
    arguments = ["models", "calibrate", str(folder), "--data", walk, "--engine", "torch", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    card, before = load_card(folder), load_card(demo)
    assert card.error_model is not None
    assert card.error_model.model_dump() == json.loads(result.stdout)
    assert card.error_model.data == "sample_walk@0:60"
    assert card.error_model.slope == 0 and card.error_model.head > 0
    assert card.model_copy(update={"error_model": before.error_model}) == before
    image = np.random.default_rng(0).integers(0, 256, (128, 192, 3), dtype=np.uint8)
    seen = DepthEstimator(str(folder), "cpu", "network").estimate(image, with_confidence=True)
    assert seen.stddev is not None and seen.confidence is not None
    assert np.median(seen.confidence) < 0.1  # noise is not familiar
