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
_DECODER_CHANNELS = (64, 64, 64, 32)  # at strides 16, 8, 4, 2: PixLoc's


class FeatureMap(NamedTuple):
    """``features`` ``(B, C, h, w)`` of unit length, ``confidence`` ``(B, 1, h, w)`` in (0, 1)."""

    features: Tensor
    confidence: Tensor


class FeatureHeads(nn.Module):
    """A 1x1 head for each level on the features of an encoder.

    Args:
        channels: of the features at strides 2, 4, 8, ..., as far as there are some.
        strides: of the levels, in the order in which their maps are wanted.
        dimensions: channels of each level's features.
    """

    def __init__(
        self, channels: Sequence[int], strides: Sequence[int], dimensions: Sequence[int]
    ) -> None:
        super().__init__()
        known = PYRAMID_STRIDES[: len(channels)]
        for stride in strides:
            if stride not in known:
                raise ValueError(f"no features at stride {stride}; known are {known}")
        self.levels = [known.index(stride) for stride in strides]
        self.heads = nn.ModuleList(
            _Head(channels[level], dimension)
            for level, dimension in zip(self.levels, dimensions, strict=True)
        )

    def forward(self, pyramid: Sequence[Tensor]) -> list[FeatureMap]:
        """One map for each level of the features, finest first."""
        return [head(pyramid[level]) for level, head in zip(self.levels, self.heads, strict=True)]


class FeatureNet(nn.Module):
    """An encoder of its own, whose features are doubled in size from stride 32 to 2, with skips.

    Other arguments as of `FeatureHeads`.
    """

    def __init__(
        self, encoder: FeatureEncoder, strides: Sequence[int], dimensions: Sequence[int]
    ) -> None:
        super().__init__()
        self.encoder = encoder
        inputs = (encoder.channels[-1], *_DECODER_CHANNELS[:-1])
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(in_channels + skip, channels, 3, padding=1, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(),
            )
            for in_channels, skip, channels in zip(
                inputs, encoder.channels[-2::-1], _DECODER_CHANNELS, strict=True
            )
        )
        self.heads = FeatureHeads(_DECODER_CHANNELS[::-1], strides, dimensions)

    def forward(self, image: Tensor) -> list[FeatureMap]:
        """One map for each level of ``image`` ``(B, 3, H, W)`` in [0, 1]."""
        pyramid = self.encoder(image)
        x = pyramid[-1]
        decoded = []
        for block, skip in zip(self.blocks, pyramid[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skip], 1))
            decoded.append(x)
        maps: list[FeatureMap] = self.heads(decoded[::-1])
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
