"""The network architectures by the names that model cards and recipes use."""

from __future__ import annotations

from dataclasses import dataclass

from monodepth_ros.networks.depth_decoder import STANDARD_CHANNELS, DepthDecoder
from monodepth_ros.networks.depth_net import DepthNet
from monodepth_ros.networks.pose_decoder import PoseDecoder
from monodepth_ros.networks.pose_net import PoseNet
from monodepth_ros.networks.resnet import ResNetEncoder

# Heights and widths that reach the networks must be multiples of the coarsest stride.
SIZE_MULTIPLE = 32


@dataclass(frozen=True)
class Architecture:
    """Sizes of one depth and pose network pair."""

    encoder_layers: int
    encoder_width: int
    decoder_channels: tuple[int, ...]
    decoder_padding: str
    pose_layers: int
    pose_width: int


# `slim` is for small boards: half the channels of ResNet-18 and plain 3x3 convolutions, which
# trained faster on CPU cores, at twice the parameters, than a depthwise network of equal depth.
ARCHITECTURES: dict[str, Architecture] = {
    "monodepth2-slim": Architecture(18, 32, (16, 24, 40, 64, 96), "zeros", 18, 128),
    "monodepth2-resnet18": Architecture(18, 64, STANDARD_CHANNELS, "reflect", 18, 256),
    "monodepth2-resnet34": Architecture(34, 64, STANDARD_CHANNELS, "reflect", 18, 256),
    "monodepth2-resnet50": Architecture(50, 64, STANDARD_CHANNELS, "reflect", 18, 256),
}


def find_architecture(name: str) -> Architecture:
    """The architecture called ``name``; a ``ValueError`` lists the known names."""
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def build_depth_net(name: str) -> DepthNet:
    """A depth network with random weights."""
    a = find_architecture(name)
    encoder = ResNetEncoder(a.encoder_layers, width=a.encoder_width)
    return DepthNet(encoder, DepthDecoder(encoder.channels, a.decoder_channels, a.decoder_padding))


def build_pose_net(name: str) -> PoseNet:
    """A pose network with random weights; its encoder sees two images at once."""
    a = find_architecture(name)
    encoder = ResNetEncoder(a.pose_layers, images=2, width=a.encoder_width)
    return PoseNet(encoder, PoseDecoder(encoder.channels[-1], a.pose_width))
