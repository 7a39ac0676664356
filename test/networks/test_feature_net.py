"""Features for alignment: sizes, unit length, confidences between 0 and 1, at every level."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from monodepth_ros.networks.efficientnet_lite import EfficientNetLiteEncoder
from monodepth_ros.networks.feature_net import FeatureHeads, FeatureNet
from monodepth_ros.networks.resnet import ResNetEncoder

STRIDES, DIMENSIONS = (8, 4, 2), (12, 8, 6)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("kind", ["resnet18", "lite", "heads"])
def test_maps_of_every_level(kind: str) -> None:
    torch.manual_seed(0)
    image = torch.rand(2, 3, 64, 96)
    encoder = EfficientNetLiteEncoder() if kind == "lite" else ResNetEncoder(18)
    if kind == "heads":
        maps = FeatureHeads(encoder.channels, STRIDES, DIMENSIONS)(encoder(image))
    else:
        maps = FeatureNet(encoder, STRIDES, DIMENSIONS)(image)
    for (features, confidence), stride, channels in zip(maps, STRIDES, DIMENSIONS, strict=True):
        assert features.shape == (2, channels, 64 // stride, 96 // stride)
        assert confidence.shape == (2, 1, 64 // stride, 96 // stride)
        torch.testing.assert_close(features.norm(dim=1), torch.ones_like(confidence[:, 0]))
        assert (confidence > 0).all() and (confidence < 1).all()


def test_the_published_size_is_about_twelve_million_parameters() -> None:
    assert 11e6 < count(FeatureNet(ResNetEncoder(18), STRIDES, (128, 64, 32))) < 12.5e6


def test_a_stride_that_no_feature_has_is_refused() -> None:
    with pytest.raises(ValueError, match="stride 3"):
        FeatureHeads(ResNetEncoder(18).channels, (3,), (8,))
