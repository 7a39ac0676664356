"""The learner as the trainer wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from monodepth_ros.learning.learner import Batch, Learner
from monodepth_ros.learning.optimisation import build_optimizer, learning_rate_factor
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.run.validation_metrics import ValidationFigures
from monodepth_ros.learning.step_stream import Plan, seed_step


class TrainedLearner(Learner, lightning.LightningModule):
    """Hands the trainer's calls on."""

    def __init__(self, recipe: Recipe, plan: Plan, time_spent: Callable[[], float]) -> None:
        super().__init__(recipe)
        self.plan, self.time_spent = plan, time_spent
        self._validation = ValidationFigures()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """One optimiser for all networks; its rates move every step."""
        fused = self.recipe.trainer.precision != "fp16"  # fused Adam unscales by itself, too late
        optimizer = build_optimizer(self.recipe.optimizer, self.parameter_groups(), fused)
        factor = learning_rate_factor(self.recipe.schedule, self.plan, self.time_spent)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """Clip here, since the trainer refuses to with a fused optimiser."""
        if self.recipe.optimizer.clip_norm is not None:
            parameters = [p for p in self.parameters() if p.grad is not None]
            nn.utils.clip_grad_norm_(parameters, self.recipe.optimizer.clip_norm)

    def on_fit_start(self) -> None:
        """The trainer leaves modes as they are; the objective draws on the training device."""
        self.train()
        self._noise = torch.Generator(self.device)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """From uint8 images to what the steps take, augmented for training."""
        if not self.trainer.training:
            return self.prepare(batch)
        seed_step(self._noise, self.recipe.trainer.seed, self.global_step, self.global_rank)
        return self.prepare(batch, self.global_step, self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The weighted objective of one batch, a scalar."""
        loss, terms = self.training_loss(batch, self.global_step, self._noise)
        if self.plan.is_logged(self.global_step + 1):
            rate = self.trainer.optimizers[0].param_groups[0]["lr"]
            epoch = self.plan.epoch(self.global_step + 1)
            self.log_dict({"loss": loss, **terms, "lr": rate, "epoch": epoch}, sync_dist=True)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        """Stop by the plan, so that the last step is validated whatever its number."""
        if self.global_step >= self.plan.total_steps:
            self.trainer.should_stop = True

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Gather the figures of a batch."""
        for name, values in self.validation_metrics(batch).items():
            self._validation.add(f"val/{name}", values)

    def on_validation_epoch_end(self) -> None:
        """Means over all images of all processes; images without valid truth do not count."""
        for name, mean in self._validation.means(self.trainer.strategy).items():
            self.log(name, mean)

    def plan_record(self) -> dict[str, int]:
        """What a resumed run must have in common with the former one, to see the same batches."""
        return {"samples": self.plan.samples, "batch": self.plan.global_batch}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Note beside the weights the plan and what validation found last."""
        checkpoint["plan"] = self.plan_record()
        figures = self.trainer.callback_metrics.items()
        checkpoint["validation"] = {k: float(v) for k, v in figures if k.startswith("val/")}
