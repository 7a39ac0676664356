"""The networks of a recipe that only training knows: those of the published ablations."""

from __future__ import annotations

from torch import nn

from monodepth_ros.learning.recipe.recipe import NetworksRecipe
from monodepth_ros.networks.architecture import build_pose_net, find_architecture
from monodepth_ros.networks.depth_decoder import DepthDecoder
from monodepth_ros.networks.depth_net import DepthNet
from monodepth_ros.networks.pose_ablations import PoseCNN, SharedEncoderPoseNet


def recipe_pose_net(recipe: NetworksRecipe, depth_net: DepthNet) -> nn.Module:
    """The pose network that ``networks.pose`` names; ``shared`` is on the depth encoder."""
    if recipe.pose == "posecnn":
        return PoseCNN()
    if recipe.pose == "shared":
        width = find_architecture(recipe.architecture).pose_width
        return SharedEncoderPoseNet(depth_net.encoder, width)
    return build_pose_net(recipe.architecture)


def recipe_mask_net(recipe: NetworksRecipe, depth_net: DepthNet) -> DepthDecoder:
    """A second decoder on the depth encoder: one mask for each of the two sources."""
    sizes = find_architecture(recipe.architecture)
    channels = depth_net.encoder.channels
    return DepthDecoder(channels, sizes.decoder_channels, sizes.decoder_padding, outputs=2)
