"""The networks by the names that model cards and recipes use; reading this needs no torch.

A new network is a file beside this one and a line in `ARCHITECTURES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from monodepth_ros.errors import UserError

if TYPE_CHECKING:
    from torch import nn

    from monodepth_ros.networks.depth_network import DepthNetwork

# What an image does not tell of inverse depth: nothing is open, its factor, or its factor and a
# summand (Ranftl et al., MiDaS, 2020).
Ambiguity = Literal["none", "scale", "scale_and_shift"]
# Disparity lies between 1 / max_depth and 1 / min_depth; inverse depth has no such range.
Output = Literal["disparity", "inverse_depth"]


@dataclass(frozen=True)
class Builder:
    """What builds a network, ``module:name``, imported when it is called, and its settings.

    A depth network whose output is ``disparity`` also gets ``min_depth`` and ``max_depth``.
    """

    target: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, **more: Any) -> Any:
        """The network, of these and ``more`` settings."""
        module, _, name = self.target.partition(":")
        return getattr(importlib.import_module(module), name)(**self.settings, **more)


@dataclass(frozen=True)
class Architecture:
    """A depth network and the pose network that is trained with it; None: it has none.

    Without a depth network its models are exports alone, which others have made. Images have sides
    of at least ``smallest_size`` pixels, in multiples of ``size_multiple``.
    """

    depth: Builder | None
    pose: Builder | None
    size_multiple: int = 32
    smallest_size: int = 32
    output: Output = "disparity"
    ambiguity: Ambiguity = "scale"
    tells_variance: bool = False  # whether its builder takes ``uncertainty``, a number of heads
    # Whether two files beside the card say what it is: its builder takes ``config`` and
    # ``preprocessor``, and the network loads tensors by their published names.
    is_published: bool = False


def _monodepth2(**settings: Any) -> Builder:
    return Builder("monodepth_ros.networks.monodepth2:Monodepth2Network", settings)


def _published(layers: int, pose_layers: int) -> Architecture:
    pose = Builder("monodepth_ros.networks.pose_net:PoseNet", {"layers": pose_layers})
    # At 32 pixels the coarsest feature is one pixel, which has nothing to reflect.
    return Architecture(_monodepth2(layers=layers), pose, smallest_size=64, tells_variance=True)


_SMALL_DECODER = {"decoder_channels": (16, 24, 40, 64, 96), "padding": "zeros"}
_CORRELATION = Builder("monodepth_ros.networks.correlation_pose_net:CorrelationPoseNet")

ARCHITECTURES: dict[str, Architecture] = {
    # For small boards: about 4 M parameters in all. Its plain 3x3 convolutions on half the channels
    # trained faster on CPU cores than a depthwise network of half as many parameters.
    "monodepth2-slim": Architecture(
        _monodepth2(layers=18, stages=(32, 64, 128, 192), **_SMALL_DECODER),
        _CORRELATION,
        tells_variance=True,
    ),
    # Starts from ImageNet weights that anybody may use, which is worth more than its price: half
    # the training speed of `slim` on CPU cores (depthwise convolutions), at the same speed live.
    "monodepth2-lite": Architecture(
        _monodepth2(layers=None, **_SMALL_DECODER), _CORRELATION, tells_variance=True
    ),
    "monodepth2-resnet18": _published(18, pose_layers=18),
    "monodepth2-resnet34": _published(34, pose_layers=34),
    "monodepth2-resnet50": _published(50, pose_layers=50),
    "huggingface": Architecture(
        Builder("monodepth_ros.networks.huggingface:HuggingFaceNetwork"),
        pose=None,
        size_multiple=1,
        output="inverse_depth",
        ambiguity="scale_and_shift",
        is_published=True,
    ),
    "depth-anything-3": Architecture(
        depth=None,
        pose=None,
        size_multiple=14,
        smallest_size=14,
        output="inverse_depth",
        ambiguity="scale",
    ),
}


def find_architecture(name: str) -> Architecture:
    """The architecture called ``name``; a ``ValueError`` lists the known names."""
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}; known: {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def trainable() -> list[str]:
    """Names of those that a recipe builds; others are there with their model folder alone."""
    return [name for name, one in ARCHITECTURES.items() if one.depth and not one.is_published]


def build_depth_network(
    name: str,
    min_depth: float,
    max_depth: float,
    uncertainty: int = 0,
    published: Mapping[str, Mapping[str, Any]] | None = None,
) -> DepthNetwork:
    """A depth network with random weights, of this range if it has any.

    ``uncertainty``: members of its head for the variance, 0 for none; a `UserError` where the
    architecture has no such head. ``published``: what the files of a published model say, a
    `UserError` where the architecture needs them.
    """
    architecture = find_architecture(name)
    settings: dict[str, Any] = {}
    if architecture.depth is None:
        raise UserError(f"architecture {name} has no network here: its models are exports alone")
    if architecture.is_published:
        if not published:
            raise UserError(f"architecture {name} is built from a model folder: give one as model")
        settings.update(published)
    if architecture.output == "disparity":
        settings = {"min_depth": min_depth, "max_depth": max_depth}
    if uncertainty:
        if not architecture.tells_variance:
            raise UserError(f"architecture {name} has no head for uncertainty")
        settings["uncertainty"] = uncertainty
    network: DepthNetwork = architecture.depth(**settings)
    return network


def build_pose_network(name: str) -> nn.Module:
    """A pose network with random weights; a `UserError` where the architecture has none.

    It maps two images to the motion between them, as
    :meth:`monodepth_ros.networks.pose_net.PoseNet.forward` says.
    """
    build = find_architecture(name).pose
    if build is None:
        raise UserError(f"architecture {name} has no pose network")
    network: nn.Module = build()
    return network
