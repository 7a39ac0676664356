"""The network architectures by the names that model cards and recipes use."""

from __future__ import annotations

from dataclasses import dataclass, replace

from monodepth_ros.networks.correlation_pose_net import CorrelationPoseNet
from monodepth_ros.networks.depth_decoder import STANDARD_CHANNELS, DepthDecoder, Padding
from monodepth_ros.networks.depth_net import DepthNet
from monodepth_ros.networks.efficientnet_lite import EfficientNetLiteEncoder
from monodepth_ros.networks.pose_decoder import PoseDecoder
from monodepth_ros.networks.pose_net import PoseNet
from monodepth_ros.networks.resnet import PUBLISHED_STAGES, ResNetEncoder

# Heights and widths that reach the networks must be multiples of the coarsest stride.
SIZE_MULTIPLE = 32


@dataclass(frozen=True)
class Architecture:
    """Sizes of one depth and pose network pair."""

    depth_layers: int | None  # None: EfficientNet-Lite0
    depth_stages: tuple[int, ...] = PUBLISHED_STAGES
    decoder_channels: tuple[int, ...] = STANDARD_CHANNELS
    decoder_padding: Padding = "reflect"
    pose_layers: int | None = 18  # None: features of both images are matched
    pose_width: int = 256

    def same(self, part: str, other: Architecture) -> bool:
        """Whether the ``depth`` or ``pose`` network of both is one and the same."""
        if part == "pose":
            return (self.pose_layers, self.pose_width) == (other.pose_layers, other.pose_width)
        return replace(self, pose_layers=0, pose_width=0) == replace(
            other, pose_layers=0, pose_width=0
        )


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
# `lite` starts from ImageNet weights that anybody may use, which is worth more than its price: half
# the training speed of `slim` on CPU cores (depthwise convolutions), at the same speed live.
LITE = replace(SLIM, depth_layers=None)

ARCHITECTURES: dict[str, Architecture] = {
    "monodepth2-slim": SLIM,
    "monodepth2-lite": LITE,
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
    encoder = (
        EfficientNetLiteEncoder()
        if a.depth_layers is None
        else ResNetEncoder(a.depth_layers, stages=a.depth_stages)
    )
    return DepthNet(encoder, DepthDecoder(encoder.channels, a.decoder_channels, a.decoder_padding))


def build_pose_net(name: str) -> PoseNet | CorrelationPoseNet:
    """A pose network with random weights; the encoder of a ResNet sees two images at once."""
    a = find_architecture(name)
    if a.pose_layers is None:
        return CorrelationPoseNet(a.pose_width)
    encoder = ResNetEncoder(a.pose_layers, images=2)
    return PoseNet(encoder, PoseDecoder(encoder.channels[-1], a.pose_width))
