"""Known scenes replayed beside new video: what a batch holds, what it teaches, and what resumes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from corridor import write_corridor
from recipes import SELF_SUPERVISED, small_recipe
from steps import loss_of, step_of

from monodepth_ros.errors import UserError
from monodepth_ros.learning.batches import WithSets, build_datasets, build_replay, collate
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.run.checkpoints import LAST, read_checkpoint
from monodepth_ros.learning.run.train import train
from monodepth_ros.learning.step_stream import MixedSampler, StepSampler, plan_run


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """New frames, without truth."""
    return write_corridor(tmp_path / "video" / "walk", frames=8, depth=False).parent


def test_a_batch_holds_triplets_and_known_frames(video: Path, held_back: Path) -> None:
    recipe = small_recipe(losses=SELF_SUPERVISED)
    training, _ = build_datasets(recipe, [video], [])
    both = WithSets(training, {"rehearsal": build_replay(recipe, [held_back])})
    assert len(both) == len(training) + 6
    batch = collate([both[0], both[1], both[len(training)]])
    assert batch["images"].shape[:2] == (2, 3) and "depth" not in batch
    assert batch["rehearsal/images"].shape[:2] == (1, 1)
    assert batch["rehearsal/depth"].isfinite().any()


def test_the_same_frames_are_replayed_after_a_resume() -> None:
    plan = plan_run(small_recipe(losses=SELF_SUPERVISED), samples=10)

    def batches(start: int) -> list[list[int]]:
        return list(MixedSampler(StepSampler(plan, 3, start=start), 10, [50], [4]))

    assert batches(0)[2:] == batches(2)
    replayed = np.array([batch[2:] for batch in batches(0)])
    assert replayed.shape == (4, 4) and replayed.min() >= 10 and replayed.max() < 60
    assert len(np.unique(replayed)) > 8


def test_known_depth_adds_its_weighted_loss(video: Path, held_back: Path) -> None:
    found = {}
    for weight in (1.0, 3.0):
        losses = {**SELF_SUPERVISED, "rehearsal": {"weight": weight}}
        recipe = small_recipe(losses=losses)
        training, _ = build_datasets(recipe, [video], [])
        both = WithSets(training, {"rehearsal": build_replay(recipe, [held_back])})
        batch = collate([both[0], both[1], both[len(training)]])
        for name in ("images", "rehearsal/images"):
            batch[name] = batch[name].float() / 255
            batch[name.replace("images", "jittered")] = batch[name]
        torch.manual_seed(0)
        module = Learner(recipe)
        found[weight], terms = module.training_loss(batch, 0, torch.Generator().manual_seed(0))
    with torch.no_grad():
        known, *_ = module.predictions(
            torch.cat([batch["jittered"][:, 0], batch["rehearsal/jittered"][:, 0]])
        )
        alone = {n.removeprefix("rehearsal/"): x for n, x in batch.items() if "rehearsal" in n}
        part = loss_of("supervised")(
            step_of(alone, [d[2:] for d in known], depth_range=(0.5, 20.0))
        )
    torch.testing.assert_close(terms["rehearsal"], 3 * part.loss, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(found[3.0] - found[1.0], 2 * part.loss, rtol=1e-3, atol=1e-5)


def test_a_run_with_replay(video: Path, held_back: Path, tmp_path: Path) -> None:
    recipe = small_recipe(losses=SELF_SUPERVISED)
    run = train(recipe, [video], tmp_path / "run", replay=[held_back])
    assert read_checkpoint(run / LAST)["state"]["step"] == 4
    assert "rehearsal/silog" in (run / "metrics.csv").read_text().split("\n")[0]


def test_replay_needs_true_depth_and_a_network_that_learns(video: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--replay"):
        train(small_recipe(losses=SELF_SUPERVISED), [video], tmp_path / "a", replay=[video])
    frozen = small_recipe(losses=SELF_SUPERVISED, networks={"freeze_depth": True})
    with pytest.raises(UserError, match="freeze_depth"):
        train(frozen, [video], tmp_path / "b", replay=[video])
