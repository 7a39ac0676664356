"""EfficientNet-Lite0 against its published definition, written here in plain functions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.errors import UserError
from monodepth_ros.learning.initial_weights import imagenet_file, load_imagenet_encoder
from monodepth_ros.networks.efficientnet_lite import EfficientNetLiteEncoder
from monodepth_ros.networks.registry import build_depth_network

# In, out, kernel, stride, expansion of every block (Tan & Le 2019, table 1), less the last.
BLOCKS = [
    (32, 16, 3, 1, 1),
    (16, 24, 3, 2, 6),
    (24, 24, 3, 1, 6),
    (24, 40, 5, 2, 6),
    (40, 40, 5, 1, 6),
    (40, 80, 3, 2, 6),
    (80, 80, 3, 1, 6),
    (80, 80, 3, 1, 6),
    (80, 112, 5, 1, 6),
    (112, 112, 5, 1, 6),
    (112, 112, 5, 1, 6),
    (112, 192, 5, 2, 6),
    (192, 192, 5, 1, 6),
    (192, 192, 5, 1, 6),
    (192, 192, 5, 1, 6),
]
LAST_AT_ITS_STRIDE = (0, 2, 4, 10, 14)


def published_weights() -> dict[str, Tensor]:
    """Random weights under the published names, with what the encoder does not use."""
    generator = torch.Generator().manual_seed(0)

    def convolution(out: int, inputs: int, kernel: int) -> Tensor:
        fan_in = inputs * kernel * kernel
        return torch.randn(out, inputs, kernel, kernel, generator=generator) / fan_in**0.5

    weights = {"_conv_stem.weight": convolution(32, 3, 3), **batch_norm("_bn0", 32, generator)}
    for i, (inputs, out, kernel, _, expansion) in enumerate(BLOCKS):
        width = inputs * expansion
        if expansion > 1:
            weights[f"_blocks.{i}._expand_conv.weight"] = convolution(width, inputs, 1)
            weights |= batch_norm(f"_blocks.{i}._bn0", width, generator)
        weights[f"_blocks.{i}._depthwise_conv.weight"] = convolution(width, 1, kernel)
        weights |= batch_norm(f"_blocks.{i}._bn1", width, generator)
        weights[f"_blocks.{i}._project_conv.weight"] = convolution(out, width, 1)
        weights |= batch_norm(f"_blocks.{i}._bn2", out, generator)
    weights["_blocks.15._expand_conv.weight"] = convolution(1152, 192, 1)
    weights["_fc.bias"] = torch.zeros(1000)
    return weights


def batch_norm(name: str, channels: int, generator: torch.Generator) -> dict[str, Tensor]:
    return {
        f"{name}.weight": 1 + 0.1 * torch.randn(channels, generator=generator),
        f"{name}.bias": 0.1 * torch.randn(channels, generator=generator),
        f"{name}.running_mean": 0.1 * torch.randn(channels, generator=generator),
        f"{name}.running_var": 1 + torch.rand(channels, generator=generator),
    }


def defined(weights: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """The published forward pass, TensorFlow's padding computed from its definition."""

    def normed(x: Tensor, name: str) -> Tensor:
        w = {k: weights[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")}
        return F.batch_norm(x, **w, eps=1e-3)

    def same(x: Tensor, weight: Tensor, stride: int, groups: int) -> Tensor:
        padding = []
        for size in (x.shape[3], x.shape[2]):
            total = max((-(-size // stride) - 1) * stride + weight.shape[-1] - size, 0)
            padding += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, padding), weight, stride=stride, groups=groups)

    x = (255 * image - 127) / 128
    x = F.relu6(normed(same(x, weights["_conv_stem.weight"], 2, 1), "_bn0"))
    outputs = []
    for i, (inputs, out, _, stride, expansion) in enumerate(BLOCKS):
        name, y = f"_blocks.{i}.", x
        if expansion > 1:
            y = F.relu6(normed(F.conv2d(y, weights[name + "_expand_conv.weight"]), name + "_bn0"))
        depthwise = weights[name + "_depthwise_conv.weight"]
        y = F.relu6(normed(same(y, depthwise, stride, len(depthwise)), name + "_bn1"))
        y = normed(F.conv2d(y, weights[name + "_project_conv.weight"]), name + "_bn2")
        x = x + y if stride == 1 and inputs == out else y
        outputs.append(x)
    return [outputs[i] for i in LAST_AT_ITS_STRIDE]


def test_published_weights_give_the_published_features() -> None:
    weights = published_weights()
    encoder = EfficientNetLiteEncoder()
    load_imagenet_encoder(encoder, weights, "file")
    image = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = encoder.eval()(image)
        for ours, theirs in zip(features, defined(weights, image), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert [f.shape[1] for f in features] == list(encoder.channels)


def test_other_weights_are_refused() -> None:
    weights = published_weights()
    del weights["_blocks.3._project_conv.weight"]
    with pytest.raises(UserError, match="does not fit"):
        load_imagenet_encoder(EfficientNetLiteEncoder(), weights, "file")


def test_the_packaged_weights_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    file = imagenet_file("efficientnet-lite0")
    weights = torch.load(file, map_location="cpu", weights_only=True)
    encoder = EfficientNetLiteEncoder()
    load_imagenet_encoder(encoder, weights, "file")
    assert torch.equal(encoder.stem.weight, weights["_conv_stem.weight"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"monodepth_ros\[imagenet\]"):
        imagenet_file("efficientnet-lite0")
    assert imagenet_file("other.pth") == Path("other.pth")


def test_bfloat16_changes_little() -> None:
    """Depthwise convolutions run in single precision on a CPU, the others in half."""
    net = build_depth_network("monodepth2-lite", 0.1, 100.0).eval()
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        full = net.finest(image)
        with torch.autocast("cpu", torch.bfloat16):
            half = net.finest(image)
    torch.testing.assert_close(half, full, rtol=0, atol=0.03 * 9.99)
