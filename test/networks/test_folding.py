"""Batch norms are folded where nothing else sees what they normalise, and never elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from corridor import render
from torch import Tensor, nn
from torch.nn import functional as F

from monodepth_ros.networks.folding import fold_batch_norms
from monodepth_ros.networks.registry import build_depth_network, build_pose_network, trainable
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.catalogue import resolve
from monodepth_ros.zoo.weights import build_network, load_weights

IMAGE = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def with_statistics(network: nn.Module) -> nn.Module:
    """Evaluating, with batch norms that change what they get."""
    generator = torch.Generator().manual_seed(1)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None:
            norm.running_mean.normal_(0.0, 0.5, generator=generator)
            norm.running_var.uniform_(0.5, 2.0, generator=generator)
            nn.init.uniform_(norm.weight, 0.5, 2.0, generator=generator)
            nn.init.uniform_(norm.bias, -0.5, 0.5, generator=generator)
    return network.eval()


def norms(network: nn.Module) -> int:
    return sum(isinstance(m, nn.BatchNorm2d) for m in network.modules())


class Toy(nn.Module):
    """A convolution, a batch norm, and what ``forward`` makes of them."""

    def __init__(self, forward: Callable[[Toy, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        for name, part in parts.items():
            self.add_module(name, part)
        self.behaviour = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.behaviour(self, x)


class ActivatedConvolution(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


class StandardisedConvolution(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, padding=1)


class ActivatedNorm(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).relu()


def twice(net: Toy, x: Tensor) -> Tensor:
    return net.norm(net.convolution(net.norm(net.convolution(x))))


def seen_besides(net: Toy, x: Tensor) -> Tensor:
    y = net.convolution(x)
    return net.norm(y) + y.view(len(y), 3, 64, 96)


def changed_in_place(net: Toy, x: Tensor) -> Tensor:
    return net.norm(net.convolution(x).relu_())


def tied(net: Toy, x: Tensor) -> Tensor:
    return net.norm(net.convolution(x)) + F.conv2d(x, net.convolution.weight, padding=1)


def handed_out(net: Toy, x: Tensor) -> dict[str, list[Tensor]]:
    y = net.convolution(x)
    return {"maps": [net.norm(y), y]}


NOT_FOLDED = {
    "an activation between": Toy(lambda n, x: n.norm(n.convolution(x).relu())),
    "an activation in place": Toy(changed_in_place),
    "a batch norm before": Toy(lambda n, x: n.convolution(n.norm(x))),
    "a shared convolution": Toy(twice),
    "a shared weight": Toy(tied),
    "a second consumer": Toy(seen_besides),
    "an activation in the convolution": Toy(
        lambda n, x: n.norm(n.other(x)), other=ActivatedConvolution(3, 3, 3, padding=1)
    ),
    "a computed weight": Toy(
        lambda n, x: n.norm(n.other(x)), other=StandardisedConvolution(3, 3, 3, padding=1)
    ),
    "an activation in the batch norm": Toy(
        lambda n, x: n.other(n.convolution(x)), other=ActivatedNorm(3)
    ),
    "statistics of the batch": Toy(
        lambda n, x: n.other(n.convolution(x)),
        other=nn.BatchNorm2d(3, track_running_stats=False),
    ),
    "a convolution that is an output": Toy(handed_out),
    "a transposed convolution": Toy(
        lambda n, x: n.norm(n.other(x)), other=nn.ConvTranspose2d(3, 3, 3, padding=1)
    ),
}


@pytest.mark.parametrize("name", NOT_FOLDED)
def test_what_would_change_the_output_is_not_folded(name: str) -> None:
    network = with_statistics(NOT_FOLDED[name])
    count = norms(network)
    with torch.no_grad():
        before = network(IMAGE)
        assert fold_batch_norms(network, IMAGE) == 0 and norms(network) == count
        torch.testing.assert_close(network(IMAGE), before, rtol=0, atol=0)


def test_a_batch_norm_in_training_is_not_folded() -> None:
    network = with_statistics(Toy(lambda n, x: n.norm(n.convolution(x))))
    network.norm.train()
    assert fold_batch_norms(network, IMAGE) == 0


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_and_its_batch_norm_become_one(bias: bool) -> None:
    other = nn.Conv2d(3, 3, 3, padding=1, bias=bias)
    network = with_statistics(Toy(lambda n, x: n.norm(n.other(x)).relu(), other=other))
    with torch.no_grad():
        before = network(IMAGE)
        assert fold_batch_norms(network, IMAGE) == 1 and norms(network) == 0
        torch.testing.assert_close(network(IMAGE), before)


def test_the_order_of_registration_does_not_matter() -> None:
    """Each batch norm stands before the other one's convolution."""
    network = with_statistics(
        Toy(
            lambda n, x: n.norm(n.last(n.other(n.convolution(x)))),
            other=nn.BatchNorm2d(3),
            last=nn.Conv2d(3, 3, 1),
        )
    )
    with torch.no_grad():
        before = network(IMAGE)
        assert fold_batch_norms(network, IMAGE) == 2
        torch.testing.assert_close(network(IMAGE), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", trainable())
def test_every_architecture_is_folded_whole(name: str) -> None:
    networks = [
        (build_depth_network(name, 0.1, 100.0), [IMAGE[:1]]),
        (build_pose_network(name), [IMAGE[:1], IMAGE[1:]]),
    ]
    for network, images in networks:
        with_statistics(network)
        with torch.no_grad():
            before = network(*images)
            assert fold_batch_norms(network, *images) > 10 and norms(network) == 0
            after = network(*images)
        if isinstance(before[0], list):
            before, after = before[0], after[0]
        for ours, theirs in zip(after, before, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_the_bundled_model_sees_the_same() -> None:
    folder: Path = resolve("demo")
    card = load_card(folder)
    poses = [np.eye(4), np.eye(4)]
    poses[1][:3, 3] = 0.1, 0.0, 0.1
    images = [
        F.interpolate(torch.from_numpy(render(T)[0]).permute(2, 0, 1)[None] / 255, card.size)
        for T in poses
    ]
    for part, state in load_weights(folder, card).items():
        network = build_network(part, card)
        network.load_state_dict(state)
        network.eval()
        given = images[:1] if part == "depth" else images
        with torch.no_grad():
            before = network(*given)
            assert fold_batch_norms(network, *given) > 10 and norms(network) == 0
            after = network(*given)
        if part == "depth":
            before, after = before.inverse_depth, after.inverse_depth
        for ours, theirs in zip(after, before, strict=True):
            assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()
