"""The two other pose networks of Monodepth2's ablations (ICCV 2019); training compares them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monodepth_ros.networks.depth_network import FeatureEncoder
from monodepth_ros.networks.pose_net import POSE_SCALE, PoseDecoder
from monodepth_ros.networks.resnet import normalise

_KERNELS = (7, 5, 3, 3, 3, 3, 3)
_CHANNELS = (16, 32, 64, 128, 256, 256, 256)


class PoseCNN(nn.Module):
    """Seven plain convolutions of stride 2 (Zhou et al., SfMLearner, CVPR 2017)."""

    def __init__(self) -> None:
        super().__init__()
        inputs = (6, *_CHANNELS[:-1])
        layers: list[nn.Module] = []
        for kernel, in_channels, channels in zip(_KERNELS, inputs, _CHANNELS, strict=True):
            layers += [nn.Conv2d(in_channels, channels, kernel, 2, kernel // 2), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.pose = nn.Conv2d(_CHANNELS[-1], 6, 1)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`monodepth_ros.networks.pose_net.PoseNet.forward`."""
        x = self.layers(normalise(torch.cat([first, second], 1)))
        pose = POSE_SCALE * self.pose(x).mean((2, 3))
        return pose[:, :3], pose[:, 3:]


class SharedEncoderPoseNet(nn.Module):
    """A pose decoder on the depth network's features of both images.

    The encoder is the depth network's own; it is not registered here a second time.
    """

    def __init__(self, encoder: FeatureEncoder, width: int = 256) -> None:
        super().__init__()
        self.decoder = PoseDecoder(encoder.channels[-1], width, features=2)
        self._encoder = [encoder]

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """As :meth:`monodepth_ros.networks.pose_net.PoseNet.forward`."""
        coarsest = self._encoder[0](torch.cat([first, second]))[-1]
        return self.decoder(*coarsest.chunk(2))
