"""Depth network: an encoder and the decoder on its features."""

from __future__ import annotations

from torch import Tensor, nn

from monodepth_ros.networks.depth_decoder import DepthDecoder
from monodepth_ros.networks.efficientnet_lite import EfficientNetLiteEncoder
from monodepth_ros.networks.resnet import ResNetEncoder


class DepthNet(nn.Module):
    """From an image to sigmoid disparities; height and width are multiples of 32."""

    def __init__(
        self, encoder: ResNetEncoder | EfficientNetLiteEncoder, decoder: DepthDecoder
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, image: Tensor) -> list[Tensor]:
        """Disparities in (0, 1) of ``image`` ``(B, 3, H, W)`` in [0, 1].

        Four maps ``(B, 1, H / 2^s, W / 2^s)``, s = 0..3, finest first.
        """
        return self.decoder(self.encoder(image))

    def finest(self, image: Tensor) -> Tensor:
        """The disparity at full resolution alone, ``(B, 1, H, W)``."""
        return self.decoder.finest(self.encoder(image))
