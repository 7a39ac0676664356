"""Networks: published sizes, shapes, gradients, export."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from monodepth_ros.errors import UserError
from monodepth_ros.networks.depth_network import DepthNetwork, with_encoder
from monodepth_ros.networks.registry import (
    ARCHITECTURES,
    Architecture,
    build_depth_network,
    build_pose_network,
    trainable,
)
from monodepth_ros.networks.resnet import ResNetEncoder, stack_first_convolution


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_published_parameter_counts() -> None:
    """Methods A.2; the encoder is torchvision's ResNet-18 (11,689,512) without its classifier."""
    assert parameters(build_depth_network("monodepth2-resnet18", 0.1, 100.0).decoder) == 3_152_724
    assert (
        parameters(build_depth_network("monodepth2-resnet18", 0.1, 100.0).encoder)
        == 11_689_512 - 513_000
    )
    assert parameters(build_pose_network("monodepth2-resnet18").decoder) == 1_314_572


@pytest.mark.parametrize(("layers", "count"), [(34, 21_797_672), (50, 25_557_032)])
def test_deeper_encoders_have_torchvision_sizes(layers: int, count: int) -> None:
    encoder = ResNetEncoder(layers)
    assert parameters(encoder) == count - (1000 * encoder.channels[-1] + 1000)


@pytest.mark.parametrize("name", ["monodepth2-slim", "monodepth2-lite"])
def test_small_pairs_suit_small_boards(name: str) -> None:
    total = parameters(build_depth_network(name, 0.1, 100.0)) + parameters(build_pose_network(name))
    assert 3e6 < total < 5e6


@pytest.mark.parametrize("name", trainable())
def test_shapes_ranges_and_gradients(name: str) -> None:
    depth_net, pose_net = build_depth_network(name, 0.1, 100.0), build_pose_network(name)
    image = torch.rand(2, 3, 64, 96)
    inverse_depths, log_variance = depth_net(image)
    sizes = [tuple(r.shape) for r in inverse_depths]
    assert sizes == [(2, 1, 64, 96), (2, 1, 32, 48), (2, 1, 16, 24), (2, 1, 8, 12)]
    assert all(0.01 < r.min() and r.max() < 10 for r in inverse_depths) and log_variance is None
    axis_angle, translation = pose_net(image, image.flip(0))
    assert axis_angle.shape == translation.shape == (2, 3)
    sum(r.mean() for r in inverse_depths).backward()
    (axis_angle.sum() + translation.sum()).backward()
    missing = [n for n, p in depth_net.named_parameters() if p.grad is None]
    missing += [n for n, p in pose_net.named_parameters() if p.grad is None]
    assert not missing


def test_the_finest_head_alone_gives_the_same_disparity() -> None:
    net = build_depth_network("monodepth2-slim", 0.1, 100.0).eval()
    image = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        torch.testing.assert_close(net.finest(image), net(image).inverse_depth[0])


def test_first_motions_are_small() -> None:
    axis_angle, translation = build_pose_network("monodepth2-slim")(*torch.rand(2, 4, 3, 32, 64))
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


@pytest.mark.parametrize(("logit", "depth"), [(-40.0, 20.0), (0.0, 1 / 1.025), (40.0, 0.5)])
def test_the_sigmoid_spans_the_depth_range(logit: float, depth: float) -> None:
    """Inverse depth is linear in it, in float32 also where the network runs in half."""
    net = build_depth_network("monodepth2-slim", 0.5, 20.0).eval()
    assert (net.min_depth, net.max_depth) == (0.5, 20.0)
    for head in net.decoder.disparity:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.constant_(head.bias, logit)
    image = torch.rand(1, 3, 32, 64)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for inverse_depth in [*net(image).inverse_depth, net.finest(image)]:
            assert inverse_depth.dtype == torch.float32
            torch.testing.assert_close(1 / inverse_depth, torch.full_like(inverse_depth, depth))


def test_names_are_known_without_torch() -> None:
    """A card is read by other engines, too."""
    code = "import sys, monodepth_ros.networks.registry; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_architecture_may_have_no_pose_network(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Architecture(ARCHITECTURES["monodepth2-slim"].depth, pose=None)
    monkeypatch.setitem(ARCHITECTURES, "alone", alone)
    assert isinstance(build_depth_network("alone", 0.1, 100.0), DepthNetwork)
    with pytest.raises(UserError, match="alone has no pose network"):
        build_pose_network("alone")


def test_what_needs_an_encoder_says_so() -> None:
    class Plain(DepthNetwork):
        pass

    with pytest.raises(UserError, match="feat_source needs an encoder, which Plain has not"):
        with_encoder(Plain(), "feat_source")
    net = build_depth_network("monodepth2-slim", 0.1, 100.0)
    assert with_encoder(net, "feat_source") is net


def test_forward_traces_for_export() -> None:
    net = build_depth_network("monodepth2-slim", 0.1, 100.0).eval()
    image = torch.rand(1, 3, 32, 64)
    program = torch.export.export(net, (image,))
    with torch.no_grad():
        exported, eager = (n(image).inverse_depth for n in (program.module(), net))
    for one, other in zip(exported, eager, strict=True):
        torch.testing.assert_close(one, other)


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ValueError, match="monodepth2-slim"):
        build_depth_network("monodepth3", 0.1, 100.0)
