"""The pose decoder of Monodepth2 (ICCV 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

# Keeps the first poses near identity, where the photometric error has a gradient to follow.
POSE_SCALE = 0.01


class PoseDecoder(nn.Module):
    """Axis-angle and translation from the coarsest feature of an image pair.

    With ``features=2`` it takes one feature of each image instead of one of both, for an encoder
    that is shared with the depth network.
    """

    def __init__(self, in_channels: int = 512, width: int = 256, features: int = 1) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, width, 1)
        self.conv1 = nn.Conv2d(features * width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        # Twelve outputs, of which a pair uses six: the published weights have this shape.
        self.pose = nn.Conv2d(width, 12, 1)

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        """``(axis_angle, translation)``, each ``(B, 3)``, of features ``(B, C, h, w)``."""
        x = torch.cat([torch.relu(self.squeeze(feature)) for feature in features], 1)
        x = torch.relu(self.conv1(x))
        x = torch.relu(self.conv2(x))
        pose = POSE_SCALE * self.pose(x).mean((2, 3))
        return pose[:, :3], pose[:, 3:6]
