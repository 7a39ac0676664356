"""Pictures of what the networks see and say: input, disparity, error and auto-mask."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.learning.learner import Batch, Learner
from monodepth_ros.learning.run.state import Run, State

Picture = NDArray[np.uint8]
FULL_ERROR = 0.4  # photometric error drawn white


class SamplePictures:
    """Writes rows of input | disparity | error | auto-mask of a few training samples.

    Without the self-supervised objective a row is input | disparity | true disparity.
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
            with atomic_path(self.run.folder / f"pictures/step_{state.step:07d}.png") as path:
                # OpenCV writes BGR; of a name that is not UTF-8 it knows nothing.
                path.write_bytes(cv2.imencode(".png", picture[:, :, ::-1])[1].tobytes())


@torch.no_grad()
def draw(learner: Learner, batch: Batch) -> Picture:
    """One row for each sample of a training batch, uint8 RGB."""
    was_training = learner.training
    learner.eval()
    try:
        disparities = learner.disparities(batch["images"][:, 0])
        columns = [_rgb(batch["images"][:, 0]), _disparity(disparities[0])]
        if learner.synthesises_views:
            poses = learner.relative_poses(batch["images"])
            maps = learner.self_supervised.error_maps(
                disparities, *poses, batch["images"], batch["K"], batch.get("valid")
            )
            columns += [_grey(maps.error / FULL_ERROR), _grey(~maps.automasked)]
        else:
            columns.append(_disparity(1.0 / batch["depth"]))
    finally:
        learner.train(was_training)
    return np.concatenate([np.concatenate(row, 1) for row in zip(*columns, strict=True)], 0)


def _rgb(images: Tensor) -> list[Picture]:
    return list((255 * images).round().byte().permute(0, 2, 3, 1).cpu().numpy())


def _grey(maps: Tensor) -> list[Picture]:
    return _rgb(maps.float().clamp(0, 1).expand(-1, 3, -1, -1))


def _disparity(maps: Tensor) -> list[Picture]:
    return [_magma(m) for m in maps[:, 0].float().cpu().numpy()]


def _magma(disparity: NDArray[np.float32]) -> Picture:
    """Near is bright; from 0 to the 95th percentile; unknown is black."""
    known = np.isfinite(disparity)
    top = np.percentile(disparity[known], 95) if known.any() else 1.0
    level = np.where(known, disparity / top, 0.0).clip(0, 1)
    colours = cv2.applyColorMap((255 * level).astype(np.uint8), cv2.COLORMAP_MAGMA)
    return np.where(known[..., None], colours[..., ::-1], 0).astype(np.uint8)
