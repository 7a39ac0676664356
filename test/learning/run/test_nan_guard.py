from pathlib import Path
from typing import Any

import pytest
import torch
from recipes import SUPERVISED, small_recipe

from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.run.nan_guard import TrainingDiverged
from monodepth_ros.learning.run.train import train


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_run_stops_with_the_offending_batch_saved(
    what: str, corridor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = Learner.forward
    seen: list[dict[str, torch.Tensor]] = []

    def poisoned(self: Learner, batch: Any, *others: Any) -> Any:
        loss, terms = forward(self, batch, *others)
        seen.append(batch)
        if len(seen) == 3 and what == "loss":
            loss = loss * float("nan")
        elif len(seen) == 3:
            weight = next(self.depth_net.parameters())
            loss = loss + (weight - weight.detach()).sqrt().sum()  # 0; its slope is infinite
        return loss, terms

    monkeypatch.setattr(Learner, "forward", poisoned)
    with pytest.raises(TrainingDiverged, match=f"step 2.*{what}.*not_finite_step_0000002_rank_0"):
        train(small_recipe(losses=SUPERVISED), [corridor], tmp_path / "run")
    saved = torch.load(tmp_path / "run/not_finite_step_0000002_rank_0.pt", weights_only=True)
    assert torch.equal(saved["batch"]["jittered"], seen[2]["jittered"])
    assert all(torch.isfinite(w).all() for w in saved["weights"].values())
