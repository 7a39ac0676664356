"""Looking at the held-back frames during a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from monodepth_ros.learning.run.state import Run, State
from monodepth_ros.learning.step import Batch


class Validation:
    """Every so many steps and after the last one; then it calls ``tell``."""

    def __init__(
        self, run: Run, batches: Iterable[Batch], tell: Sequence[Callable[[State], None]]
    ) -> None:
        self.run, self.batches, self.tell = run, batches, tell
        evaluation = run.learner.recipe.evaluation
        epochs = round(evaluation.every_epochs * run.plan.steps_per_epoch)
        self.every = max(1, min(evaluation.every_steps or epochs, run.plan.total_steps))

    def __call__(self, state: State) -> None:
        """Leave the figures in the state."""
        last = state.stop or state.step == self.run.plan.total_steps
        if state.interrupted or not (last or state.step % self.every == 0):
            return
        means = self.means()
        state.validation = {f"val/{name}": mean for name, mean in means.items()}
        for listener in self.tell:
            listener(state)

    @torch.no_grad()
    def means(self) -> dict[str, float]:
        """Over the images of all processes; of each figure those count that have one."""
        found: dict[str, list[Tensor]] = {}
        self.run.learner.eval()
        for loaded in self.batches:
            batch = self.run.learner.prepare(self.run.fabric.to_device(loaded))
            with self.run.fabric.autocast():
                metrics = self.run.model.validation_metrics(batch)
            for name, values in metrics.items():
                found.setdefault(name, []).append(values.float())
        self.run.learner.train()
        return {name: self._mean(torch.cat(found[name])) for name in sorted(found)}

    def _mean(self, values: Tensor) -> float:
        known = values[~values.isnan()]
        total = torch.stack([known.sum(), known.new_tensor(float(known.numel()))])
        self.run.fabric.all_reduce(total, reduce_op="sum")
        return float(total[0] / total[1])
