"""The depth network of Monodepth2 (Godard et al., ICCV 2019), on a ResNet or a mobile encoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from monodepth_ros.networks.depth_decoder import (
    SCALES,
    STANDARD_CHANNELS,
    DepthDecoder,
    Padding,
)
from monodepth_ros.networks.depth_network import DepthOutput, EncoderDecoderNetwork
from monodepth_ros.networks.efficientnet_lite import EfficientNetLiteEncoder
from monodepth_ros.networks.resnet import PUBLISHED_STAGES, ResNetEncoder
from monodepth_ros.networks.uncertainty_head import LEVEL, UncertaintyHead, sampled, together


class Monodepth2Network(EncoderDecoderNetwork):
    """Inverse depth at full, half, quarter and eighth size; the sides are multiples of 32.

    It is linear in a sigmoid, from ``1 / max_depth`` to ``1 / min_depth``.
    """

    def __init__(
        self,
        min_depth: float,
        max_depth: float,
        layers: int | None,
        stages: tuple[int, ...] = PUBLISHED_STAGES,
        decoder_channels: tuple[int, ...] = STANDARD_CHANNELS,
        padding: Padding = "reflect",
        uncertainty: int = 0,
    ) -> None:
        """On a ResNet of ``layers`` with ``stages``; without on EfficientNet-Lite0.

        ``uncertainty``: members of the head that tells the variance; 0: there is none.
        """
        super().__init__()
        self.min_depth, self.max_depth = min_depth, max_depth
        self.encoder = (
            EfficientNetLiteEncoder() if layers is None else ResNetEncoder(layers, stages=stages)
        )
        self.decoder = DepthDecoder(self.encoder.channels, decoder_channels, padding)
        self.tells_variance = uncertainty > 0
        if self.tells_variance:
            self.uncertainty = UncertaintyHead(decoder_channels[LEVEL], uncertainty)

    def decode(self, features: Sequence[Tensor]) -> DepthOutput:
        """Four maps ``(B, 1, H / 2^s, W / 2^s)``, s = 0..3."""
        return self.decode_with_members(features)[0]

    def decode_with_members(self, features: Sequence[Tensor]) -> tuple[DepthOutput, Tensor | None]:
        """As of every network with an encoder."""
        decoded = self.decoder.decode(features)
        inverse = [self._inverse(decoded, scale) for scale in range(SCALES)]
        if not self.tells_variance:
            return DepthOutput(inverse), None
        full, half, *coarse = inverse
        members = self.uncertainty(decoded[LEVEL], [full, sampled(half), *coarse])
        return DepthOutput(inverse, together(members)), members

    def finest_with_variance(self, image: Tensor) -> tuple[Tensor, Tensor | None]:
        """Without the heads of the other scales, but for what a variance is told by."""
        decoded = self.decoder.decode(self.encoder(image))
        if not self.tells_variance:
            return self._inverse(decoded, 0), None
        every = (1, 2, 1, 1)  # of half the size what is compared
        inverse = [self._inverse(decoded, scale, every[scale]) for scale in range(SCALES)]
        return inverse[0], together(self.uncertainty(decoded[LEVEL], inverse))

    def finest(self, image: Tensor) -> Tensor:
        """Without the heads of the other scales and that of the variance."""
        return self._inverse(self.decoder.decode(self.encoder(image)), 0)

    def _inverse(self, decoded: Sequence[Tensor], scale: int, every: int = 1) -> Tensor:
        return self._in_range(self.decoder.head(scale, decoded[scale], every))

    def further_decoder(self, outputs: int) -> DepthDecoder:
        """As of every network with an encoder."""
        return DepthDecoder(*self.decoder.sizes, outputs)

    def _in_range(self, sigmoid: Tensor) -> Tensor:
        # In float32 also where the rest runs in half: that has steps of a percent of depth.
        nearest, farthest = 1.0 / self.min_depth, 1.0 / self.max_depth
        return farthest + (nearest - farthest) * sigmoid.float()
