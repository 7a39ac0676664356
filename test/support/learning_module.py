"""A module that learns on random images."""

from typing import Any

import torch
from recipes import small_recipe
from torch import Tensor

from monodepth_ros.geometry import se3
from monodepth_ros.learning.learner import Learner


def build(**sections: Any) -> Learner:
    recipe = small_recipe(**sections)
    return Learner(recipe)


def random_batch(count: int = 2, frames: int = 3) -> dict[str, Tensor]:
    images = torch.rand(count, frames, 3, 32, 64)
    K = torch.tensor([[40.0, 0.0, 31.5], [0.0, 40.0, 15.5], [0.0, 0.0, 1.0]])
    return {
        "images": images,
        "jittered": images.clone(),
        "K": K.expand(count, 3, 3).clone(),
        "depth": 1.0 + torch.rand(count, 1, 32, 64),
        "T_neighbour_target": se3.exp(0.1 * torch.randn(count, frames - 1, 6)),
        "index": torch.arange(count),
    }


def gradients(network: torch.nn.Module) -> list[Tensor]:
    return [p.grad for p in network.parameters() if p.grad is not None and p.grad.abs().sum() > 0]
