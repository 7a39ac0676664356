"""The depth decoder of Monodepth2 (ICCV 2019): a U-Net of padded 3x3 convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STANDARD_CHANNELS = (16, 32, 64, 128, 256)
SCALES = 4
Padding = Literal["reflect", "zeros"]


class DepthDecoder(nn.Module):
    """Sigmoid disparities at four scales from five encoder features.

    Args:
        encoder_channels: channels of the features at strides 2, 4, 8, 16, 32.
        channels: decoder channels at strides 1, 2, 4, 8, 16.
        padding: ``reflect`` is the published decoder; ``zeros`` costs a third less time a step.
        outputs: sigmoid maps at each scale: one is disparity; predictive masks have one a source.

    Attributes:
        apart: whether what comes from below and from the encoder is convolved apart and then added,
            so that neither is copied beside the other: the same but for rounding.
    """

    apart = False

    def __init__(
        self,
        encoder_channels: Sequence[int],
        channels: Sequence[int] = STANDARD_CHANNELS,
        padding: Padding = "reflect",
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.sizes = tuple(encoder_channels), tuple(channels), padding
        self.padding = padding

        def convolution(in_channels: int, out_channels: int) -> nn.Conv2d:
            return nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode=padding)

        inputs = [*channels[1:], encoder_channels[-1]]
        skips = [0, *encoder_channels[:-1]]
        self.before_upsampling = nn.ModuleList(
            convolution(inputs[i], channels[i]) for i in range(5)
        )
        self.after_upsampling = nn.ModuleList(
            convolution(channels[i] + skips[i], channels[i]) for i in range(5)
        )
        self.disparity = nn.ModuleList(convolution(channels[i], outputs) for i in range(SCALES))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Maps in (0, 1), ``(B, outputs, H / 2^s, W / 2^s)`` for s = 0..3, finest first."""
        return [self.head(i, x) for i, x in enumerate(self.decode(features)[:SCALES])]

    def head(self, scale: int, x: Tensor, every: int = 1) -> Tensor:
        """The map of one scale, ``(B, outputs, h, w)``, from what is decoded there.

        Of that only every second row and column with ``every`` 2, in a quarter of the time.
        """
        # In full precision even where the network runs in half: a bfloat16 logit has steps of
        # 1.6 percent of depth.
        with torch.autocast(x.device.type, enabled=False):
            head = self.disparity[scale]
            assert isinstance(head, nn.Conv2d)
            x = x.to(head.weight.dtype)
            if every == 1:
                return torch.sigmoid(head(x))
            x = F.pad(x, (1, 1, 1, 1), "reflect" if self.padding == "reflect" else "constant")
            return torch.sigmoid(F.conv2d(x, head.weight, head.bias, every))

    def decode(self, features: Sequence[Tensor]) -> list[Tensor]:
        """What the maps are made from: decoded features at strides 1, 2, 4, 8 and 16."""
        x = features[-1]
        decoded = []
        for i in range(4, -1, -1):
            x = F.elu(self.before_upsampling[i](x))
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = F.elu(
                self.after_upsampling[i](x) if i == 0 else self._joined(i, x, features[i - 1])
            )
            decoded.append(x)
        return decoded[::-1]

    def _joined(self, i: int, x: Tensor, feature: Tensor) -> Tensor:
        """The convolution of both, ``x`` first."""
        convolution = self.after_upsampling[i]
        if not self.apart:
            joined: Tensor = convolution(torch.cat([x, feature], 1))
            return joined
        assert isinstance(convolution, nn.Conv2d)
        weight, channels = convolution.weight, convolution.out_channels  # as many as x has
        return convolution._conv_forward(
            feature, weight[:, channels:], convolution.bias
        ) + convolution._conv_forward(x, weight[:, :channels], None)
