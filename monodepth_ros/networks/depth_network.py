"""What every depth network is: the contract between networks and all that use them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from monodepth_ros.errors import UserError


class DepthOutput(NamedTuple):
    """What a depth network says of a batch of images.

    ``inverse_depth``: 1 / depth in the network's unit, ``(B, 1, h, w)`` float32 at each of its
    scales, finest first. ``log_variance``, where the network has one: logarithm of the variance of
    log depth (natural), of the finest, ``(B, 1, h, w)`` at the size at which it is told: it is
    smooth, and enlarging it in the network would take longer than all that it is made of.
    """

    inverse_depth: list[Tensor]
    log_variance: Tensor | None = None


class DepthNetwork(nn.Module):
    """From images to inverse depth; what maps its head to inverse depth is part of it.

    ``min_depth`` and ``max_depth`` bound the depth that it can say, in its unit.
    ``tells_variance``: whether its outputs have a log variance. ``exported_alone``: whether its
    exports take one image at a time, because a trace would take the batch for a constant.
    """

    min_depth: float = 0.0
    max_depth: float = math.inf
    tells_variance: bool = False
    exported_alone: bool = False

    def forward(self, image: Tensor) -> DepthOutput:
        """Inverse depth of ``image`` ``(B, 3, H, W)`` in [0, 1]."""
        raise NotImplementedError

    def with_members(self, image: Tensor) -> tuple[DepthOutput, Tensor | None]:
        """The same, and the log variances ``(B, M, h, w)`` of whose mixture its one is, to learn
        by; None without members."""
        return self(image), None

    def finest(self, image: Tensor) -> Tensor:
        """The finest inverse depth alone."""
        return self.finest_with_variance(image)[0]

    def finest_with_variance(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """The finest inverse depth and its log variance, which is all that inference needs."""
        output: DepthOutput = self(image)
        return output.inverse_depth[0], output.log_variance


class FeatureEncoder(nn.Module):
    """Features at strides 2, 4, 8, 16 and 32 of one image, which have these ``channels``."""

    channels: tuple[int, ...]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Five maps of ``image`` ``(B, 3, H, W)`` in [0, 1], finest first."""
        raise NotImplementedError


class EncoderDecoderNetwork(DepthNetwork):
    """A depth network whose features others may use as well."""

    encoder: FeatureEncoder

    def forward(self, image: Tensor) -> DepthOutput:
        """As of every depth network."""
        return self.decode(self.encoder(image))

    def with_members(self, image: Tensor) -> tuple[DepthOutput, Tensor | None]:
        """As of every depth network."""
        return self.decode_with_members(self.encoder(image))

    def decode(self, features: Sequence[Tensor]) -> DepthOutput:
        """The output for the encoder's ``features``."""
        raise NotImplementedError

    def decode_with_members(self, features: Sequence[Tensor]) -> tuple[DepthOutput, Tensor | None]:
        """The same, and the members of its log variance."""
        return self.decode(features), None

    def further_decoder(self, outputs: int) -> nn.Module:
        """One of the same shape on the same features: ``outputs`` sigmoid maps at each scale."""
        raise NotImplementedError


def with_encoder(network: DepthNetwork, purpose: str) -> EncoderDecoderNetwork:
    """The same network where it has an encoder; else a `UserError` that names the ``purpose``."""
    if not isinstance(network, EncoderDecoderNetwork):
        raise UserError(f"{purpose} needs an encoder, which {type(network).__name__} has not")
    return network
