"""The depth network of Monodepth2 (Godard et al., ICCV 2019), on a ResNet or a mobile encoder."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from monodepth_ros.networks.depth_decoder import STANDARD_CHANNELS, DepthDecoder, Padding
from monodepth_ros.networks.depth_network import DepthOutput, EncoderDecoderNetwork
from monodepth_ros.networks.efficientnet_lite import EfficientNetLiteEncoder
from monodepth_ros.networks.resnet import PUBLISHED_STAGES, ResNetEncoder


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
    ) -> None:
        """On a ResNet of ``layers`` with ``stages``; without on EfficientNet-Lite0."""
        super().__init__()
        self.min_depth, self.max_depth = min_depth, max_depth
        self.encoder = (
            EfficientNetLiteEncoder() if layers is None else ResNetEncoder(layers, stages=stages)
        )
        self.decoder = DepthDecoder(self.encoder.channels, decoder_channels, padding)

    def decode(self, features: Sequence[Tensor]) -> DepthOutput:
        """Four maps ``(B, 1, H / 2^s, W / 2^s)``, s = 0..3."""
        return DepthOutput([self._in_range(sigmoid) for sigmoid in self.decoder(features)])

    def finest(self, image: Tensor) -> Tensor:
        """Without the heads of the other scales."""
        return self._in_range(self.decoder.finest(self.encoder(image)))

    def further_decoder(self, outputs: int) -> DepthDecoder:
        """As of every network with an encoder."""
        return DepthDecoder(*self.decoder.sizes, outputs)

    def _in_range(self, sigmoid: Tensor) -> Tensor:
        # In float32 also where the rest runs in half: that has steps of a percent of depth.
        nearest, farthest = 1.0 / self.min_depth, 1.0 / self.max_depth
        return farthest + (nearest - farthest) * sigmoid.float()
