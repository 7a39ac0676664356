"""Networks: published sizes, shapes, gradients, export."""

from __future__ import annotations

import pytest
import torch

from monodepth_ros.networks.architecture import ARCHITECTURES, build_depth_net, build_pose_net
from monodepth_ros.networks.disparity import disparity_to_depth
from monodepth_ros.networks.resnet import ResNetEncoder, stack_first_convolution


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_published_parameter_counts() -> None:
    """Methods A.2; the encoder is torchvision's ResNet-18 (11,689,512) without its classifier."""
    assert parameters(build_depth_net("monodepth2-resnet18").decoder) == 3_152_724
    assert parameters(build_depth_net("monodepth2-resnet18").encoder) == 11_689_512 - 513_000
    assert parameters(build_pose_net("monodepth2-resnet18").decoder) == 1_314_572


@pytest.mark.parametrize(("layers", "count"), [(34, 21_797_672), (50, 25_557_032)])
def test_deeper_encoders_have_torchvision_sizes(layers: int, count: int) -> None:
    encoder = ResNetEncoder(layers)
    assert parameters(encoder) == count - (1000 * encoder.channels[-1] + 1000)


@pytest.mark.parametrize("name", ["monodepth2-slim", "monodepth2-lite"])
def test_small_pairs_suit_small_boards(name: str) -> None:
    total = parameters(build_depth_net(name)) + parameters(build_pose_net(name))
    assert 3e6 < total < 5e6


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_shapes_ranges_and_gradients(name: str) -> None:
    depth_net, pose_net = build_depth_net(name), build_pose_net(name)
    image = torch.rand(2, 3, 64, 96)
    disparities = depth_net(image)
    sizes = [tuple(d.shape) for d in disparities]
    assert sizes == [(2, 1, 64, 96), (2, 1, 32, 48), (2, 1, 16, 24), (2, 1, 8, 12)]
    assert all(0 < d.min() and d.max() < 1 for d in disparities)
    axis_angle, translation = pose_net(image, image.flip(0))
    assert axis_angle.shape == translation.shape == (2, 3)
    sum(d.mean() for d in disparities).backward()
    (axis_angle.sum() + translation.sum()).backward()
    missing = [n for n, p in depth_net.named_parameters() if p.grad is None]
    missing += [n for n, p in pose_net.named_parameters() if p.grad is None]
    assert not missing


def test_the_finest_head_alone_gives_the_same_disparity() -> None:
    net = build_depth_net("monodepth2-slim").eval()
    image = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        torch.testing.assert_close(net.finest(image), net(image)[0])


def test_first_motions_are_small() -> None:
    axis_angle, translation = build_pose_net("monodepth2-slim")(*torch.rand(2, 4, 3, 32, 64))
    assert axis_angle.abs().max() < 0.1 and translation.abs().max() < 0.1


def test_torchvision_names() -> None:
    names = set(ResNetEncoder(18).state_dict())
    expected = {"conv1.weight", "bn1.running_var", "layer1.0.conv1.weight", "layer4.1.bn2.bias"}
    assert expected | {"layer2.0.downsample.0.weight", "layer3.0.downsample.1.bias"} <= names
    assert not any(n.startswith("fc") for n in names)


def test_stacked_weights_see_equal_images_as_one() -> None:
    single, double = ResNetEncoder(18).eval(), ResNetEncoder(18, images=2).eval()
    double.load_state_dict(stack_first_convolution(single.state_dict(), 2))
    image = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        together = double(torch.cat([image, image], 1))
        for one, both in zip(single(image), together, strict=True):
            torch.testing.assert_close(both, one, rtol=1e-4, atol=1e-5)


def test_disparity_spans_the_depth_range() -> None:
    depth = disparity_to_depth(torch.tensor([0.0, 1.0]), 0.1, 100.0)
    torch.testing.assert_close(depth, torch.tensor([100.0, 0.1]))


def test_forward_traces_for_export() -> None:
    net = build_depth_net("monodepth2-slim").eval()
    image = torch.rand(1, 3, 32, 64)
    program = torch.export.export(net, (image,))
    with torch.no_grad():
        for exported, eager in zip(program.module()(image), net(image), strict=True):
            torch.testing.assert_close(exported, eager)


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ValueError, match="monodepth2-slim"):
        build_depth_net("monodepth3")
