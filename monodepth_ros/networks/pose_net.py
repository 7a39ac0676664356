"""Pose network: the motion between two consecutive images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monodepth_ros.networks.pose_decoder import PoseDecoder
from monodepth_ros.networks.resnet import ResNetEncoder


class NoPoseNet(nn.Module):
    """Stands in where an architecture has no pose network: nothing moves."""

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As of `PoseNet`: zeros."""
        still = first.new_zeros(len(first), 3)
        return still, still


class PoseNet(nn.Module):
    """From an image pair to the motion that maps points of the first camera to the second."""

    def __init__(self, encoder: ResNetEncoder, decoder: PoseDecoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Axis-angle (radians) and translation, each ``(B, 3)``, of ``T_second_first``.

        Both images are ``(B, 3, H, W)`` in [0, 1]; ``first`` is the earlier one. The translation
        has the scale of the depth network trained beside this one.
        """
        features = self.encoder(torch.cat([first, second], 1))
        return self.decoder(features[-1])
