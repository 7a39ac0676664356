"""A depth network that the package does not know: all of it in one file, and its line."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monodepth_ros.networks.depth_network import DepthNetwork, DepthOutput
from monodepth_ros.networks.registry import ARCHITECTURES, Architecture, Builder

PATCH = 14


class ToyNetwork(DepthNetwork):
    """Each patch of the image by itself; its depth has no range."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, PATCH, PATCH)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Conv2d(width, PATCH * PATCH, 1)

    def forward(self, image: Tensor) -> DepthOutput:
        x = self.norm(torch.relu(self.patches(image - 0.5)))
        finest = 0.01 + F.softplus(F.pixel_shuffle(self.head(x), PATCH).float())
        return DepthOutput([finest, *(F.avg_pool2d(finest, 2**s) for s in (1, 2, 3))])


TOY = Architecture(
    Builder("toy_network:ToyNetwork", {"width": 24}),
    pose=None,
    size_multiple=PATCH,
    smallest_size=PATCH,
    output="inverse_depth",
    ambiguity="scale_and_shift",
)


def register() -> None:
    """What would be a line of the registry."""
    ARCHITECTURES["toy"] = TOY
