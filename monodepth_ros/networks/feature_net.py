"""Features that poses are aligned by, learnt with depth and pose; nothing of it is exported.

A U-Net after PixLoc (Sarlin et al., "Back to the Feature", CVPR 2021), or 1x1 heads on the features
of the depth encoder. Both give, for each level, maps of unit length over their channels and a
confidence: how much a pixel should count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monodepth_ros.networks.depth_network import FeatureEncoder

PYRAMID_STRIDES = (2, 4, 8, 16, 32)  # of an encoder's features
_DECODER_CHANNELS = {16: 64, 8: 64, 4: 64, 2: 32}  # by stride, PixLoc's


class FeatureMap(NamedTuple):
    """``features`` ``(B, C, h, w)`` of unit length, ``confidence`` ``(B, 1, h, w)`` in (0, 1)."""

    features: Tensor
    confidence: Tensor


class FeatureHeads(nn.Module):
    """A 1x1 head for each level on the features of an encoder.

    Args:
        encoder_channels: channels of the features at strides 2, 4, 8, 16, 32.
        strides: of the levels, in the order in which their maps are wanted.
        dimensions: channels of each level's features.
    """

    def __init__(
        self, encoder_channels: Sequence[int], strides: Sequence[int], dimensions: Sequence[int]
    ) -> None:
        super().__init__()
        self.levels = [_position(stride, PYRAMID_STRIDES) for stride in strides]
        self.heads = nn.ModuleList(
            _Head(encoder_channels[level], dimension)
            for level, dimension in zip(self.levels, dimensions, strict=True)
        )

    def forward(self, pyramid: Sequence[Tensor]) -> list[FeatureMap]:
        """One map for each level of five encoder features, finest first."""
        return [head(pyramid[level]) for level, head in zip(self.levels, self.heads, strict=True)]


class FeatureDecoder(nn.Module):
    """Doubles the resolution from stride 32 to 2, with skips; arguments as of `FeatureHeads`."""

    def __init__(
        self, encoder_channels: Sequence[int], strides: Sequence[int], dimensions: Sequence[int]
    ) -> None:
        super().__init__()
        sizes = tuple(_DECODER_CHANNELS)
        self.levels = [_position(stride, sizes) for stride in strides]
        inputs = encoder_channels[-1]
        self.blocks = nn.ModuleList()
        for channels, skip in zip(
            _DECODER_CHANNELS.values(), encoder_channels[-2::-1], strict=True
        ):
            self.blocks.append(
                nn.Sequential(
                    nn.Conv2d(inputs + skip, channels, 3, padding=1, bias=False),
                    nn.BatchNorm2d(channels),
                    nn.ReLU(),
                )
            )
            inputs = channels
        self.heads = nn.ModuleList(
            _Head(_DECODER_CHANNELS[stride], dimension)
            for stride, dimension in zip(strides, dimensions, strict=True)
        )

    def forward(self, pyramid: Sequence[Tensor]) -> list[FeatureMap]:
        """One map for each level of five encoder features, finest first."""
        x = pyramid[-1]
        decoded = []
        for block, skip in zip(self.blocks, pyramid[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], 1))
            decoded.append(x)
        return [head(decoded[level]) for level, head in zip(self.levels, self.heads, strict=True)]


class FeatureNet(nn.Module):
    """An encoder of its own and the decoder on its features."""

    def __init__(
        self,
        encoder: FeatureEncoder,
        strides: Sequence[int],
        dimensions: Sequence[int],
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = FeatureDecoder(encoder.channels, strides, dimensions)

    def forward(self, image: Tensor) -> list[FeatureMap]:
        """One map for each level of ``image`` ``(B, 3, H, W)`` in [0, 1]."""
        maps: list[FeatureMap] = self.decoder(self.encoder(image))
        return maps


class _Head(nn.Module):
    def __init__(self, channels: int, dimension: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(channels, dimension, 1)
        self.uncertainty = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> FeatureMap:
        # Of unit length in full precision: residuals are differences of what is nearly equal.
        features = F.normalize(self.features(x).float(), dim=1)
        return FeatureMap(features, torch.sigmoid(-self.uncertainty(x).float()))


def _position(stride: int, known: Sequence[int]) -> int:
    if stride not in known:
        raise ValueError(f"no features at stride {stride}; known are {sorted(known)}")
    return known.index(stride)
