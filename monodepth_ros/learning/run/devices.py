"""What a run computes on, and how exactly."""

from __future__ import annotations

import os
import sys
from typing import Any, Literal

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins import MixedPrecision
from lightning.fabric.strategies import DDPStrategy

from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.recipe.sections import TrainerRecipe


class Autocast(MixedPrecision):
    """Half precision by autocast alone: calibration and depth of a batch stay as they are."""

    def convert_input(self, data: Any) -> Any:
        """Nothing: autocast converts what its operations take."""
        return data


def build_fabric(recipe: Recipe) -> Fabric:
    """Devices, processes and precision of a recipe; UserError where they cannot be had."""
    settings = recipe.trainer
    device = _device(settings)
    processes = settings.devices * settings.num_nodes
    started = int(os.environ.get("WORLD_SIZE", processes))
    if started != processes:
        raise UserError(
            f"{started} processes were started, but trainer.devices x trainer.num_nodes is"
            f" {processes}: make them equal"
        )
    unused = recipe.leaves_parameters_unused  # to look for them costs time
    return Fabric(
        accelerator=device,
        devices=settings.devices,
        num_nodes=settings.num_nodes,
        strategy="auto" if processes == 1 else DDPStrategy(find_unused_parameters=unused),
        plugins=_precision(settings, device),
    )


def process_rank() -> int:
    """This process among those of the run, from what torchrun or Fabric set around it."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", 0)))


def _device(settings: TrainerRecipe) -> Literal["cpu", "cuda"]:
    cuda = torch.cuda.is_available()
    if settings.accelerator == "cuda" and not cuda:
        raise UserError("trainer.accelerator: cuda, but PyTorch sees no CUDA device")
    if settings.accelerator == "cpu" or not cuda:
        if settings.precision == "fp16":
            raise UserError("trainer.precision: fp16 needs a CUDA device; use bf16 or 32")
        return "cpu"
    return "cuda"


def _precision(settings: TrainerRecipe, device: str) -> Autocast | None:
    """The recipe's, but single where bfloat16 is emulated: there it takes several times as long."""
    if settings.precision == "bf16" and device == "cpu" and not bfloat16_is_native():
        print("this CPU has no fast bfloat16: training in single precision", file=sys.stderr)
        return None
    if settings.precision == "32":
        return None
    return Autocast("bf16-mixed" if settings.precision == "bf16" else "16-mixed", device)


def bfloat16_is_native() -> bool:
    """Whether PyTorch's CPU kernels compute in bfloat16 themselves (AVX-512, or ARM's BF16)."""
    onednn = torch.backends.mkldnn.is_available()
    return onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
