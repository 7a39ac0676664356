"""ResNet-18/34/50 feature pyramids (He et al., CVPR 2016) with torchvision's parameter names.

The names are torchvision's so that ImageNet and Monodepth2 weights load key by key; the
classifier (``fc``) is left out, since nothing here uses it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from monodepth_ros.networks.depth_network import FeatureEncoder

PUBLISHED_STAGES = (64, 128, 256, 512)
_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in, H, W)`` to ``(B, channels, H/stride, W/stride)``."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1x1, 3x3 (carrying the stride, as torchvision's), 1x1 around a shortcut."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in, H, W)`` to ``(B, 4 channels, H/stride, W/stride)``."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNetEncoder(FeatureEncoder):
    """Features at strides 2, 4, 8, 16, 32 (He et al., CVPR 2016).

    Args:
        layers: 18, 34 or 50.
        images: how many RGB images are stacked on the channel axis (2 for the pose network).
        stages: channels of the four stages before expansion, as published by default.
    """

    def __init__(
        self, layers: int = 18, images: int = 1, stages: tuple[int, ...] = PUBLISHED_STAGES
    ) -> None:
        super().__init__()
        if layers not in _BLOCKS:
            raise ValueError(f"ResNet-{layers} is not one of {sorted(_BLOCKS)}")
        block: type[BasicBlock] | type[Bottleneck] = Bottleneck if layers >= 50 else BasicBlock
        width = stages[0]
        self.channels = (width, *(c * block.expansion for c in stages))
        self.images = images
        self.conv1 = nn.Conv2d(3 * images, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs, counts, strides = (width, *self.channels[1:-1]), _BLOCKS[layers], (1, 2, 2, 2)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _stage(block, *sizes) for sizes in zip(inputs, stages, counts, strides, strict=True)
        )
        initialise_from_scratch(self)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Five feature maps of ``image`` ``(B, 3 * images, H, W)`` in [0, 1], finest first."""
        x = torch.relu(self.bn1(self.conv1(normalise(image))))
        features = [x]
        x = self.maxpool(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features


def normalise(image: Tensor) -> Tensor:
    """``(x - 0.45) / 0.225`` for images in [0, 1]: one scalar for all, as in Monodepth2."""
    return (image - 0.45) / 0.225


def initialise_from_scratch(module: nn.Module) -> None:
    """Kaiming-normal (fan out, relu) convolutions, unit batch norms, as in Monodepth2.

    Not on PyTorch's meta device, where drawing numbers imports its compiler first, for seconds.
    """
    if any(parameter.is_meta for parameter in module.parameters()):
        return
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            nn.init.kaiming_normal_(child.weight, mode="fan_out", nonlinearity="relu")
            if child.bias is not None:
                nn.init.zeros_(child.bias)
        elif isinstance(child, nn.BatchNorm2d):
            nn.init.ones_(child.weight)
            nn.init.zeros_(child.bias)


def stack_first_convolution(state: dict[str, Tensor], images: int) -> dict[str, Tensor]:
    """Single-image weights for a stack of ``images``: ``conv1`` repeated, divided by their number.

    A stack of equal images then gives the features of one.
    """
    weight = state["conv1.weight"]
    return {**state, "conv1.weight": torch.cat([weight] * images, 1) / images}


def _stage(
    block: type[BasicBlock] | type[Bottleneck],
    in_channels: int,
    channels: int,
    count: int,
    stride: int,
) -> nn.Sequential:
    """``count`` blocks, of which the first changes size and channels."""
    first = block(in_channels, channels, stride)
    out_channels = channels * block.expansion
    return nn.Sequential(first, *(block(out_channels, channels, 1) for _ in range(count - 1)))


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module | None:
    if stride == 1 and in_channels == out_channels:
        return None
    convolution = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels))
