"""EfficientNet-Lite0's feature pyramid: a mobile encoder whose ImageNet weights are free to use.

Tan & Le, "EfficientNet" (ICML 2019), in its variant for mobile processors: no squeeze-and-excite,
ReLU6 for swish, fixed stem. The last stage (320 channels) and the classifier are left out: at
stride 32 the 192 channels before them serve a depth decoder as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from monodepth_ros.networks.depth_network import FeatureEncoder
from monodepth_ros.networks.resnet import initialise_from_scratch

STEM = 32
_EPS, _MOMENTUM = 1e-3, 0.01  # of the published batch norms


@dataclass(frozen=True)
class Stage:
    """Equal blocks, of which the first has the stride and changes the channels."""

    channels: int
    blocks: int
    kernel: int
    stride: int
    expansion: int = 6


STAGES = (
    Stage(16, 1, 3, 1, expansion=1),
    Stage(24, 2, 3, 2),
    Stage(40, 2, 5, 2),
    Stage(80, 3, 3, 2),
    Stage(112, 3, 5, 1),
    Stage(192, 4, 5, 2),
)
_PYRAMID = (0, 1, 2, 4, 5)  # the last stage at each of the strides 2, 4, 8, 16, 32


class InvertedResidual(nn.Module):
    """1x1 up, depthwise, 1x1 down without activation (Sandler et al., MobileNetV2, CVPR 2018)."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        width = in_channels * expansion
        self.expand: nn.Conv2d | None = None
        if expansion > 1:
            self.expand = nn.Conv2d(in_channels, width, 1, bias=False)
            self.expand_bn = nn.BatchNorm2d(width, _EPS, _MOMENTUM)
        self.depthwise = SameConv2d(width, width, kernel, stride, groups=width)
        self.depthwise_bn = nn.BatchNorm2d(width, _EPS, _MOMENTUM)
        self.project = nn.Conv2d(width, channels, 1, bias=False)
        self.project_bn = nn.BatchNorm2d(channels, _EPS, _MOMENTUM)
        self.residual = stride == 1 and in_channels == channels

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in, H, W)`` to ``(B, channels, H / stride, W / stride)``."""
        y = x if self.expand is None else F.relu6(self.expand_bn(self.expand(x)))
        y = F.relu6(self.depthwise_bn(self.depthwise(y)))
        y = self.project_bn(self.project(y))
        return x + y if self.residual else y


class SameConv2d(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's: of stride 2, more at the far edges.

    The published weights were trained so; centred padding would shift every feature by half a
    pixel at each stride.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int, groups: int = 1
    ) -> None:
        padding = kernel // 2 if stride == 1 else 0
        super().__init__(
            in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in, H, W)``, of even sides, to ``(B, out, H / stride, W / stride)``."""
        if self.stride[0] == 2:
            near = (self.kernel_size[0] - 2) // 2
            far = self.kernel_size[0] - 2 - near
            x = F.pad(x, (near, far, near, far))
        if self.groups == 1 or x.device.type != "cpu":
            return super().forward(x)
        # On a CPU depthwise gradients in bfloat16 take 3.5 times as long as in single precision.
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype))


class EfficientNetLiteEncoder(FeatureEncoder):
    """Features at strides 2, 4, 8, 16, 32 of one image."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = tuple(STAGES[i].channels for i in _PYRAMID)
        self.stem = SameConv2d(3, STEM, 3, 2)
        self.stem_bn = nn.BatchNorm2d(STEM, _EPS, _MOMENTUM)
        inputs = (STEM, *(stage.channels for stage in STAGES))
        self.stages = nn.ModuleList(_blocks(inputs[i], stage) for i, stage in enumerate(STAGES))
        initialise_from_scratch(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Five feature maps of ``image`` ``(B, 3, H, W)`` in [0, 1], finest first."""
        x = (image - 127 / 255) / (128 / 255)  # as published
        x = F.relu6(self.stem_bn(self.stem(x)))
        features = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _PYRAMID:
                features.append(x)
        return features


def from_published_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's state dict from one in the names of the published port to PyTorch.

    Those number all blocks in one row (``_blocks.4._expand_conv``). Without what is not used here.
    """
    places = [(s, b) for s, stage in enumerate(STAGES) for b in range(stage.blocks)]
    stem = {"_conv_stem": "stem", "_bn0": "stem_bn"}
    parts = {
        "_expand_conv": "expand",
        "_bn0": "expand_bn",
        "_depthwise_conv": "depthwise",
        "_bn1": "depthwise_bn",
        "_project_conv": "project",
        "_bn2": "project_bn",
    }
    renamed = {}
    for name, tensor in weights.items():
        first, _, rest = name.partition(".")
        block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(.+)", name)
        if first in stem:
            renamed[f"{stem[first]}.{rest}"] = tensor
        elif block and int(block[1]) < len(places):
            s, b = places[int(block[1])]
            renamed[f"stages.{s}.{b}.{parts.get(block[2], block[2])}.{block[3]}"] = tensor
    return renamed


def _blocks(in_channels: int, stage: Stage) -> nn.Sequential:
    inputs = [in_channels] + [stage.channels] * (stage.blocks - 1)
    strides = [stage.stride] + [1] * (stage.blocks - 1)
    return nn.Sequential(
        *(
            InvertedResidual(i, stage.channels, stage.kernel, stride, stage.expansion)
            for i, stride in zip(inputs, strides, strict=True)
        )
    )
