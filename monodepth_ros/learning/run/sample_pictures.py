"""Pictures of what the networks see and say: input, disparity, error and auto-mask."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.run.state import Run, State
from monodepth_ros.learning.step import Batch, Step
from monodepth_ros.visualisation.colour_maps import colourise
from monodepth_ros.visualisation.picture_file import write_png

Picture = NDArray[np.uint8]
FULL_ERROR = 0.4  # photometric error drawn white


class SamplePictures:
    """Writes rows of input | disparity | error | auto-mask of a few training samples.

    Without view synthesis a row is input | disparity | true disparity, where there is truth.
    """

    def __init__(self, run: Run, samples: int = 4) -> None:
        self.run, self.samples = run, samples
        self.every = run.learner.recipe.trainer.pictures_every

    def __call__(self, state: State) -> None:
        """Draw every so many steps, and after the last one."""
        last = state.step == self.run.plan.total_steps
        if self.every and (state.step % self.every == 0 or last):
            few = {name: values[: self.samples] for name, values in state.batch.items()}
            picture = draw(self.run.learner, few)
            write_png(self.run.folder / f"pictures/step_{state.step:07d}.png", picture)


@torch.no_grad()
def draw(learner: Learner, batch: Batch) -> Picture:
    """One row for each sample of a training batch, uint8 RGB."""
    was_training = learner.training
    learner.eval()
    try:
        step = Step(learner, {name: v for name, v in batch.items() if name != "jittered"})
        columns = [_rgb(step.target), _disparity(step.inverse_depths[0])]
        if "photometric" in learner.losses:
            maps = learner.photometric.error_maps(step, step.unrefined)
            columns += [_grey(maps.error / FULL_ERROR), _grey(~maps.automasked)]
        elif "depth" in batch:
            columns.append(_disparity(1.0 / batch["depth"]))
    finally:
        learner.train(was_training)
    return np.concatenate([np.concatenate(row, 1) for row in zip(*columns, strict=True)], 0)


def _rgb(images: Tensor) -> list[Picture]:
    return list((255 * images).round().byte().permute(0, 2, 3, 1).cpu().numpy())


def _grey(maps: Tensor) -> list[Picture]:
    return _rgb(maps.float().clamp(0, 1).expand(-1, 3, -1, -1))


def _disparity(maps: Tensor) -> list[Picture]:
    return [colourise(m, 0, invalid=0) for m in maps[:, 0].float().cpu().numpy()]
