"""The networks of a recipe that only training knows: those of the published ablations."""

from __future__ import annotations

from torch import nn

from monodepth_ros.learning.recipe.recipe import NetworksRecipe
from monodepth_ros.networks.depth_network import DepthNetwork, with_encoder
from monodepth_ros.networks.pose_ablations import PoseCNN, SharedEncoderPoseNet
from monodepth_ros.networks.pose_net import NoPoseNet
from monodepth_ros.networks.registry import build_pose_network, find_architecture


def recipe_pose_net(recipe: NetworksRecipe, depth_net: DepthNetwork) -> nn.Module:
    """The pose network that ``networks.pose`` names; ``shared`` is on the depth encoder.

    Where the architecture has none, `NoPoseNet`: such a recipe teaches depth alone.
    """
    if recipe.pose == "posecnn":
        return PoseCNN()
    if recipe.pose == "shared":
        return SharedEncoderPoseNet(with_encoder(depth_net, "networks.pose shared").encoder)
    if find_architecture(recipe.architecture).pose is None:
        return NoPoseNet()
    return build_pose_network(recipe.architecture)


def recipe_mask_net(depth_net: DepthNetwork) -> nn.Module:
    """A second decoder on the depth encoder: one mask for each of the two sources."""
    return with_encoder(depth_net, "predictive_mask").further_decoder(outputs=2)
