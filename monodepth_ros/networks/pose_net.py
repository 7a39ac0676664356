"""The pose network of Monodepth2 (ICCV 2019): the motion between two consecutive images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monodepth_ros.networks.resnet import ResNetEncoder

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


class PoseNet(nn.Module):
    """From an image pair to the motion that maps points of the first camera to the second.

    The published one: a ResNet of ``layers`` sees both images at once.
    """

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.encoder = ResNetEncoder(layers, images=2)
        self.decoder = PoseDecoder(self.encoder.channels[-1])

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Axis-angle (radians) and translation, each ``(B, 3)``, of ``T_second_first``.

        Both images are ``(B, 3, H, W)`` in [0, 1]; ``first`` is the earlier one. The translation
        has the scale of the depth network trained beside this one.
        """
        features = self.encoder(torch.cat([first, second], 1))
        return self.decoder(features[-1])


class NoPoseNet(nn.Module):
    """Stands in where an architecture has no pose network: nothing moves."""

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As of `PoseNet`: zeros."""
        still = first.new_zeros(len(first), 3)
        return still, still
