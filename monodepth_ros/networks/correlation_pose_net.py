"""Pose network on matched features: what the slim architecture has instead of stacked images.

Our design. A network that sees two stacked images must first learn to match them, which takes far
more examples than learning a motion from matches. So features of both images are compared
explicitly, as in FlowNetC (Dosovitskiy et al., "FlowNet: Learning optical flow with convolutional
networks", ICCV 2015): each of the first with those of the second that lie up to `REACH` cells away.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monodepth_ros.networks.pose_net import PoseDecoder
from monodepth_ros.networks.resnet import BasicBlock, initialise_from_scratch, normalise

REACH = 4  # cells of 8 pixels: motions of up to 32 pixels are matched
_STEM, _DESCRIPTOR, _CONTEXT = 24, 48, 32
_HEAD = (96, 128, 160)


class CorrelationPoseNet(nn.Module):
    """From an image pair to the motion that maps points of the first camera to the second."""

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STEM, 5, 2, 2, bias=False)
        self.bn = nn.BatchNorm2d(_STEM)
        self.blocks = nn.Sequential(BasicBlock(_STEM, 32, 2), BasicBlock(32, 64, 2))
        self.describe = nn.Conv2d(64, _DESCRIPTOR, 1)
        self.context = nn.Conv2d(64, _CONTEXT, 1)  # what is seen, hence how far away it may be
        matches = (2 * REACH + 1) ** 2
        channels = (matches + _CONTEXT + 2, *_HEAD)
        self.head = nn.Sequential(
            *(
                BasicBlock(inputs, outputs, 1 if number == 0 else 2)
                for number, (inputs, outputs) in enumerate(pairwise(channels))
            )
        )
        initialise_from_scratch(self)
        self.decoder = PoseDecoder(_HEAD[-1], width)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`monodepth_ros.networks.pose_net.PoseNet.forward`."""
        features = self.blocks(
            torch.relu(self.bn(self.stem(normalise(torch.cat([first, second])))))
        )
        batch = first.shape[0]
        described = F.normalize(self.describe(features), dim=1)
        matches = correlation(described[:batch], described[batch:], REACH)
        context = torch.relu(self.context(features[:batch]))
        return self.decoder(self.head(torch.cat([matches, context, _places(matches)], 1)))


def correlation(first: Tensor, second: Tensor, reach: int) -> Tensor:
    """Inner products ``(B, (2 reach + 1)^2, H, W)`` of ``(B, C, H, W)`` features.

    Channel ``(dy + reach) (2 reach + 1) + dx + reach`` at ``(y, x)`` compares ``first`` there with
    ``second`` at ``(y + dy, x + dx)``; beyond the edge it is 0.
    """
    batch, _, height, width = first.shape
    device = first.device
    shifts = torch.arange(-reach, reach + 1, device=device)
    y = torch.arange(height, device=device)[:, None, None, None] + shifts[:, None]
    x = torch.arange(width, device=device)[None, :, None, None] + shifts
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    index = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).flatten(2).flatten(0, 1)
    products = first.flatten(2).transpose(1, 2) @ second.flatten(2)  # all with all: one product
    near = products.gather(2, index.expand(batch, -1, -1)) * inside.flatten(2).flatten(0, 1)
    return near.transpose(1, 2).unflatten(2, (height, width))


def _places(like: Tensor) -> Tensor:
    """Where each cell lies: x and y in [-1, 1], ``(B, 2, H, W)``."""
    height, width = like.shape[-2:]
    x = torch.linspace(-1, 1, width, device=like.device, dtype=like.dtype)
    y = torch.linspace(-1, 1, height, device=like.device, dtype=like.dtype)
    grid = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    return grid.expand_as(like[:, :2])
