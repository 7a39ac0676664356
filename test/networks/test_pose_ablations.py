"""The pose networks of the ablations, and decoders with other outputs."""

from __future__ import annotations

import torch

from monodepth_ros.networks.depth_decoder import DepthDecoder
from monodepth_ros.networks.pose_ablations import PoseCNN, SharedEncoderPoseNet
from monodepth_ros.networks.pose_net import PoseDecoder
from monodepth_ros.networks.registry import build_depth_network


def test_pose_cnn_sees_both_images_in_order() -> None:
    net = PoseCNN()
    first, second = torch.rand(2, 2, 3, 64, 96)
    axis_angle, translation = net(first, second)
    assert axis_angle.shape == translation.shape == (2, 3)
    assert not torch.equal(net(second, first)[0], axis_angle)


def test_a_shared_encoder_learns_from_the_pose() -> None:
    encoder = build_depth_network("monodepth2-slim", 0.1, 100.0).encoder
    net = SharedEncoderPoseNet(encoder, width=32)
    assert not any(name.startswith("_encoder") for name, _ in net.named_parameters())
    axis_angle, translation = net(*torch.rand(2, 2, 3, 64, 96))
    (axis_angle.sum() + translation.sum()).backward()
    assert encoder.conv1.weight.grad is not None and encoder.conv1.weight.grad.abs().sum() > 0


def test_decoders_of_several_features_and_outputs() -> None:
    pose = PoseDecoder(8, width=4, features=2)
    assert pose.conv1.in_channels == 8
    assert pose(*torch.rand(2, 3, 8, 2, 2))[0].shape == (3, 3)
    encoder = build_depth_network("monodepth2-slim", 0.1, 100.0).encoder
    masks = DepthDecoder(encoder.channels, outputs=2)(encoder(torch.rand(1, 3, 64, 96)))
    assert [m.shape[1] for m in masks] == [2, 2, 2, 2]
