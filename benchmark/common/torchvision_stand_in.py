"""What Monodepth2's reference uses of torchvision, on plain PyTorch and Pillow.

The reference is of 2019; today's torchvision has lost parts of what it calls, such as the
``ColorJitter.get_params`` that returns a transform. With this stand-in it does the same work on
every PyTorch: the operations are those of torchvision 0.3 on Pillow images.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor, nn

Transform = Callable[[Image.Image], Image.Image]


class Resize:
    """To (height, width) by a Pillow filter."""

    def __init__(self, size: tuple[int, int], interpolation: int) -> None:
        self.size, self.interpolation = size, interpolation

    def __call__(self, image: Image.Image) -> Image.Image:
        return image.resize(self.size[::-1], self.interpolation)


class ToTensor:
    """uint8 HxWx3 to float 3xHxW in [0, 1]."""

    def __call__(self, image: Image.Image) -> Tensor:
        pixels = torch.from_numpy(np.array(image, np.uint8))
        return pixels.permute(2, 0, 1).contiguous().float().div(255)


class ColorJitter:
    """Only ``get_params``: one draw, as a transform that can be applied to many images."""

    @staticmethod
    def get_params(
        brightness: tuple[float, float],
        contrast: tuple[float, float],
        saturation: tuple[float, float],
        hue: tuple[float, float],
    ) -> Transform:
        operations = [
            _enhance(ImageEnhance.Brightness, random.uniform(*brightness)),
            _enhance(ImageEnhance.Contrast, random.uniform(*contrast)),
            _enhance(ImageEnhance.Color, random.uniform(*saturation)),
            _shift_hue(random.uniform(*hue)),
        ]
        random.shuffle(operations)

        def apply(image: Image.Image) -> Image.Image:
            for operation in operations:
                image = operation(image)
            return image

        return apply


def _enhance(kind: Callable[[Image.Image], ImageEnhance._Enhance], factor: float) -> Transform:
    return lambda image: kind(image).enhance(factor)


def _shift_hue(turns: float) -> Transform:
    def apply(image: Image.Image) -> Image.Image:
        hue, saturation, value = image.convert("HSV").split()
        shifted = np.array(hue, np.uint8) + np.uint8(int(turns * 255) % 256)  # wraps around
        bands = (Image.fromarray(shifted), saturation, value)
        return Image.merge("HSV", bands).convert("RGB")

    return apply


class BasicBlock(nn.Module):
    expansion = 1

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, *_: object) -> None:
        raise NotImplementedError("the benchmark trains the reference with ResNet-18 alone")


class ResNet(nn.Module):
    """torchvision's ResNet by its parameter names, the classifier included, random weights."""

    def __init__(self, block: type[BasicBlock], layers: list[int], num_classes: int = 1000) -> None:
        super().__init__()
        self.inplanes = 64
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2)
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2)
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2)
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def _make_layer(
        self, block: type[BasicBlock], planes: int, blocks: int, stride: int = 1
    ) -> nn.Sequential:
        out = planes * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != out:
            downsample = nn.Sequential(
                nn.Conv2d(self.inplanes, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )
        first = block(self.inplanes, planes, stride, downsample)
        self.inplanes = out
        return nn.Sequential(first, *(block(out, planes) for _ in range(blocks - 1)))


def resnet18(pretrained: bool = False) -> ResNet:
    if pretrained:
        raise NotImplementedError("the benchmark starts from random weights")
    return ResNet(BasicBlock, [2, 2, 2, 2])


def install() -> None:
    """Let ``import torchvision`` find this stand-in, in this process."""
    torchvision, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    transforms, resnet = (
        ModuleType("torchvision.transforms"),
        ModuleType("torchvision.models.resnet"),
    )
    for name, value in {
        "Resize": Resize, "ToTensor": ToTensor, "ColorJitter": ColorJitter,
    }.items():  # fmt: skip
        setattr(transforms, name, value)
    for module in (models, resnet):
        for name, value in {
            "ResNet": ResNet, "BasicBlock": BasicBlock, "Bottleneck": Bottleneck,
            "resnet18": resnet18, "resnet34": Bottleneck, "resnet50": Bottleneck,
            "resnet101": Bottleneck, "resnet152": Bottleneck,
        }.items():  # fmt: skip
            setattr(module, name, value)
    models.resnet = resnet  # type: ignore[attr-defined]
    datasets = ModuleType("torchvision.datasets")  # imported by its test script, never used
    for module in (models, transforms, datasets):
        setattr(torchvision, module.__name__.rpartition(".")[2], module)
    for module in (torchvision, models, transforms, datasets, resnet):
        # Libraries that look for torchvision stumble over a module without.
        module.__spec__ = ModuleSpec(module.__name__, None)
        sys.modules[module.__name__] = module
