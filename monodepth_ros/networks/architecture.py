"""The network architectures by the names that model cards and recipes use."""

from __future__ import annotations

from dataclasses import dataclass

from monodepth_ros.networks.correlation_pose_net import CorrelationPoseNet
from monodepth_ros.networks.depth_decoder import STANDARD_CHANNELS, DepthDecoder, Padding
from monodepth_ros.networks.depth_net import DepthNet
from monodepth_ros.networks.pose_decoder import PoseDecoder
from monodepth_ros.networks.pose_net import PoseNet
from monodepth_ros.networks.resnet import PUBLISHED_STAGES, ResNetEncoder

# Heights and widths that reach the networks must be multiples of the coarsest stride.
SIZE_MULTIPLE = 32


@dataclass(frozen=True)
class Architecture:
    """Sizes of one depth and pose network pair."""

    depth_layers: int
    depth_stages: tuple[int, ...] = PUBLISHED_STAGES
    decoder_channels: tuple[int, ...] = STANDARD_CHANNELS
    decoder_padding: Padding = "reflect"
    pose_layers: int | None = 18  # None: features of both images are matched
    pose_width: int = 256


# `slim` is for small boards: about 4 M parameters in all. Its plain 3x3 convolutions on half the
# channels trained faster on CPU cores than a depthwise network of half as many parameters.
SLIM = Architecture(
    depth_layers=18,
    depth_stages=(32, 64, 128, 192),
    decoder_channels=(16, 24, 40, 64, 96),
    decoder_padding="zeros",
    pose_layers=None,
    pose_width=128,
)

ARCHITECTURES: dict[str, Architecture] = {
    "monodepth2-slim": SLIM,
    "monodepth2-resnet18": Architecture(18),
    "monodepth2-resnet34": Architecture(34, pose_layers=34),
    "monodepth2-resnet50": Architecture(50, pose_layers=50),
}


def find_architecture(name: str) -> Architecture:
    """The architecture called ``name``; a ``ValueError`` lists the known names."""
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def build_depth_net(name: str) -> DepthNet:
    """A depth network with random weights."""
    a = find_architecture(name)
    encoder = ResNetEncoder(a.depth_layers, stages=a.depth_stages)
    return DepthNet(encoder, DepthDecoder(encoder.channels, a.decoder_channels, a.decoder_padding))


def build_pose_net(name: str) -> PoseNet | CorrelationPoseNet:
    """A pose network with random weights; the encoder of a ResNet sees two images at once."""
    a = find_architecture(name)
    if a.pose_layers is None:
        return CorrelationPoseNet(a.pose_width)
    encoder = ResNetEncoder(a.pose_layers, images=2)
    return PoseNet(encoder, PoseDecoder(encoder.channels[-1], a.pose_width))
