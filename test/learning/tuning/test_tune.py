"""A tuning from recordings to a verdict: repeated, interrupted, mixed with what was before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from corridor import write_corridor
from recipes import SELF_SUPERVISED, small_recipe

from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.errors import UserError
from monodepth_ros.learning.run.data import account_of
from monodepth_ros.learning.tuning.tune import (
    Tuning,
    holding_back,
    only_one,
    plan_of,
    settings_of_model,
)
from monodepth_ros.progress import plain_console
from monodepth_ros.stamps import REPEATED
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights


@pytest.fixture
def tuning(corridor: Path, untaught: Path, tmp_path: Path) -> Tuning:
    """Of a model that has hardly learnt, on video of the corridor."""
    video = write_corridor(tmp_path / "video" / "walk", frames=20, depth=False)
    recipe = small_recipe(
        losses=SELF_SUPERVISED,
        networks={"init": {"depth": str(untaught)}, "freeze_statistics": True},
        refinement={"enabled": True, "feat_source": "patches", "learn_damping": False},
        trainer={"max_steps": 3},
    )
    return Tuning(
        untaught, untaught, holding_back(recipe), [str(video)], known=[str(corridor)], min_gain=0.0
    )


def judged(tuning: Tuning, out: Path) -> dict[str, Any]:
    return tuning.verdict(out, plain_console(quiet=True))


def test_a_recipe_that_holds_nothing_back_gives_up_a_part_of_the_middle() -> None:
    """The end is what the robot goes on from; a recipe's own choice is kept."""
    data = holding_back(small_recipe()).data
    assert data.validation_fraction == 0.15 and data.validation_part == "middle"
    chosen = small_recipe(data={"validation_fraction": 0.2})
    assert holding_back(chosen) == chosen


def test_bags_of_one_camera_are_accounted_for_each(tmp_path: Path) -> None:
    """Their recordings have one name."""
    sequences = []
    for number, reason in enumerate(("stamp repeated", "", "without a stamp")):
        sequence = FolderSequence(write_corridor(tmp_path / str(number) / "front", frames=2))
        sequence.left_out = {reason: number + 1} if reason else {}
        sequences.append(sequence)
    assert account_of(sequences) == {
        "front": ["1 left out: stamp repeated"],
        "front (3)": ["3 left out: without a stamp"],
    }


def test_a_tuning_ends_with_a_model_and_a_verdict(tuning: Tuning, tmp_path: Path) -> None:
    out = tmp_path / "tuned_hall"
    outcome = {"frames": 20, "left_out": {REPEATED: 2}, "problems": ["the clock was set back"]}
    (Path(tuning.recordings[0]) / "extraction.json").write_text(json.dumps(outcome))
    broken = tmp_path / "broken.mcap"
    broken.write_bytes(b"no bag")
    verdict = judged(replace(tuning, recordings=[*tuning.recordings, str(broken)]), out)
    (unusable,) = verdict["unusable"]
    assert unusable.startswith(str(broken))
    assert verdict["left_out"] == {"walk": [f"2 left out: {REPEATED}", "the clock was set back"]}
    assert verdict["model"] == str(out / "tuned_hall") and isinstance(verdict["better"], bool)
    for figures in (verdict["former"], verdict["candidate"]):
        assert figures["photometric"] > 0 and figures["known_abs_rel"] > 0
        assert figures["abs_rel"] is None
    card = load_card(out / "tuned_hall")
    assert card.name == "tuned_hall" and card.scale == load_card(tuning.model).scale
    assert json.loads((out / "verdict.json").read_text()) == verdict


def test_what_is_complete_is_kept(tuning: Tuning, tmp_path: Path) -> None:
    """Killed between training and verdict, it judges; the training is not run again."""
    out = tmp_path / "tuned"
    verdict = judged(tuning, out)
    (out / "verdict.json").unlink()
    assert judged(tuning, out) == verdict
    assert len(list((out / "run" / "sessions").iterdir())) == 1


def test_a_share_of_the_former_weights_is_kept(tuning: Tuning, tmp_path: Path) -> None:
    weights = {}
    for keep in (0.0, 0.25, 1.0):
        model = judged(replace(tuning, keep=keep), tmp_path / f"tuned_{keep}")["model"]
        weights[keep] = load_weights(Path(model), load_card(Path(model)))["depth"]
    former = load_weights(tuning.model, load_card(tuning.model))["depth"]
    for key, value in weights[0.25].items():
        if not value.is_floating_point():
            continue
        expected = 0.75 * weights[0.0][key].float() + 0.25 * former[key].float()
        torch.testing.assert_close(value.float(), expected, rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(weights[1.0][key].float(), former[key], rtol=1e-3, atol=1e-3)
    assert any(not torch.equal(weights[0.0][key], weights[1.0][key]) for key in former)


def test_the_recipe_follows_the_model(tuning: Tuning) -> None:
    settings = settings_of_model(tuning.model, tuning.recipe)
    assert "networks.architecture=monodepth2-slim" in settings and "data.size=64x32" in settings
    assert "networks.init.pose=null" in settings  # it has none
    assert not any("teacher" in setting for setting in settings)
    teaching = small_recipe(losses={"teacher": {}}, networks={"teacher": "demo"})
    told = settings_of_model(tuning.model, teaching)
    assert f"networks.teacher={tuning.model}" in told


def test_two_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with only_one(tmp_path / "a"):
        with pytest.raises(UserError, match="another tuning"), only_one(tmp_path / "a"):
            pass
        with only_one(tmp_path / "b"):
            pass
    with only_one(tmp_path / "a"):
        pass


def test_a_large_model_teaches_at_night(
    untaught: Path, taught: Path, corridor: Path, tmp_path: Path
) -> None:
    """By recipe distill and a teacher: its labels are made once, and its content is remembered."""
    video = write_corridor(tmp_path / "video" / "walk", frames=20, depth=False)
    changes = [f"networks.teacher={taught}", "trainer.batch_size=2", "trainer.max_steps=2"]
    plan, _ = plan_of("distill", untaught, [], changes, tmp_path / "cache")
    assert plan.networks.teacher == str(taught) and plan.networks.init.depth == str(untaught)
    assert {"scale_shift_invariant", "gradient_matching", "photometric"} <= plan.active.keys()
    tuning = Tuning(
        untaught, untaught, plan, [str(video)], replay=[str(corridor)], known=[str(corridor)]
    )
    verdict = judged(tuning, tmp_path / "tuned")
    assert {"better", "reason", "former", "candidate"} <= verdict.keys()
    asked = json.loads((tmp_path / "tuned" / "request.json").read_text())
    assert asked["--teacher"] == str(taught.resolve())
    assert load_card(Path(verdict["model"])).ambiguity == "scale"
    with pytest.raises(UserError, match=r"--teacher\)"):
        plan_of("distill", untaught, [], [], tmp_path / "cache")
