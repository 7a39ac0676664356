"""When tuned weights count as better, and that the figures behind it say what they should."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from corridor import write_corridor
from recipes import SELF_SUPERVISED, small_recipe

from monodepth_ros.learning.batches import build_datasets, build_replay
from monodepth_ros.learning.tuning.comparison import ModelFigures, judge, model_figures

FORMER = ModelFigures(photometric=0.10, abs_rel=None, known_abs_rel=0.20)


@pytest.mark.parametrize(
    ("photometric", "known", "better", "reason"),
    [
        (0.08, 0.20, True, "0.1000 -> 0.0800"),
        (0.0995, 0.20, False, "not lower by 1%"),
        (0.12, 0.10, False, "not lower"),
        (0.08, 0.23, False, "known scenes 0.2000 -> 0.2300: higher"),
        (float("nan"), 0.20, False, "photometric is not finite"),
        (0.08, float("inf"), False, "known_abs_rel is not finite"),
    ],
)
def test_a_candidate_must_gain_and_not_forget(
    photometric: float, known: float, better: bool, reason: str
) -> None:
    candidate = ModelFigures(photometric, None, known)
    verdict = judge(FORMER, candidate, min_gain=0.01, max_forgetting=0.1)
    assert verdict.better == better and reason in verdict.reason


def test_true_depth_counts_before_photometric_error() -> None:
    former = replace(FORMER, abs_rel=0.3)
    worse = ModelFigures(photometric=0.05, abs_rel=0.31, known_abs_rel=0.2)
    better = ModelFigures(photometric=0.12, abs_rel=0.2, known_abs_rel=0.2)
    assert not judge(former, worse, 0.01, 0.1).better
    assert judge(former, better, 0.01, 0.1).better


def test_a_model_that_knows_the_place_has_the_better_figures(
    corridor: Path, held_back: Path, untaught: Path, taught: Path, tmp_path: Path
) -> None:
    video = write_corridor(tmp_path / "video" / "walk", frames=16, depth=False)
    recipe = small_recipe(
        losses=SELF_SUPERVISED,
        data={"validation_fraction": 0.5},
        refinement={"enabled": True, "feat_source": "patches", "learn_damping": False},
    )
    _, frames = build_datasets(recipe, [video], [])
    assert frames is not None
    known = build_replay(recipe, [held_back])
    # Without pose networks of theirs: motions are found by alignment alone.
    former, candidate = (model_figures(m, recipe, frames, known) for m in (untaught, taught))
    assert former.known_abs_rel is not None and candidate.known_abs_rel is not None
    assert candidate.photometric < 0.95 * former.photometric
    assert candidate.known_abs_rel < 0.5 * former.known_abs_rel
    assert candidate.abs_rel is None  # the video has no truth
    _, frames = build_datasets(recipe, [corridor], [])
    assert frames is not None
    on_truth = model_figures(taught, recipe, frames, None)
    assert on_truth.abs_rel == pytest.approx(candidate.known_abs_rel, rel=0.5)
    assert on_truth.known_abs_rel is None
