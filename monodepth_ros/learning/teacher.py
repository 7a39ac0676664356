"""A frozen model whose depth another one learns from, or stays near while it learns."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.networks.registry import build_depth_network
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights


class Teacher:
    """The depth network of a model: it sees what the pupil sees, and learns nothing."""

    def __init__(self, model: Path, size: tuple[int, int]) -> None:
        """Load it. UserError where its input is not of ``size`` (height, width)."""
        card = load_card(model)
        if card.size != size:
            height, width = card.size
            raise UserError(
                f"networks.teacher: {model} works on images of {width}x{height}, but data.size is"
                f" {size[1]}x{size[0]}"
            )
        self.net = build_depth_network(card.architecture, card.min_depth, card.max_depth)
        weights = load_weights(model, card)["depth"]
        self.net.load_state_dict({name: weight.float() for name, weight in weights.items()})
        self.net.eval().requires_grad_(False)
        # mypy: PyTorch's stub of Module.to lacks this overload
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.no_grad()
    def depth(self, images: Tensor) -> Tensor:
        """``(B, 1, H, W)`` of images ``(B, 3, H, W)`` in [0, 1], in the teacher's unit."""
        self.net.to(images.device)
        images = images.contiguous(memory_format=torch.channels_last)
        return 1 / self.net.finest(images)
