"""The head for uncertainty: what it tells, what it leaves as it is, and how members become one."""

from __future__ import annotations

import math

import pytest
import torch

from monodepth_ros.errors import UserError
from monodepth_ros.networks.depth_network import Members
from monodepth_ros.networks.registry import ARCHITECTURES, Architecture, build_depth_network
from monodepth_ros.networks.uncertainty_head import UncertaintyHead, cues

IMAGE = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", [n for n, a in ARCHITECTURES.items() if a.tells_variance])
def test_depth_is_bit_for_bit_as_without_the_head(name: str) -> None:
    plain = build_depth_network(name, 0.1, 100.0).eval()
    telling = build_depth_network(name, 0.1, 100.0, uncertainty=2).eval()
    missing, unexpected = telling.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and {key.partition(".")[0] for key in missing} == {"uncertainty"}
    assert telling.tells_variance and not plain.tells_variance
    with torch.no_grad():
        expected, found = plain(IMAGE), telling(IMAGE)
        for one, other in zip(expected.inverse_depth, found.inverse_depth, strict=True):
            assert torch.equal(one, other)
        inverse, log_variance = telling.finest_with_variance(IMAGE)
        assert all(torch.equal(inverse, net.finest(IMAGE)) for net in (plain, telling))
        assert plain.finest_with_variance(IMAGE)[1] is None
    assert log_variance is not None and log_variance.shape == (2, 1, 64, 96)
    torch.testing.assert_close(log_variance, found.log_variance)
    with torch.no_grad():
        output, members = telling.with_members(IMAGE)
        assert plain.with_members(IMAGE)[1] is None and members is not None
    assert members.mean.shape == members.log_variance.shape == (2, 2, 16, 24)
    assert output.log_variance is not None
    torch.testing.assert_close(members.together((64, 96)), output.log_variance)


def test_members_become_their_mixture() -> None:
    """Two with variances 1 and 3, and means 4 apart: 2 on average, and 4 between them."""
    mean = torch.tensor([1.0, 5.0])[None, :, None, None].expand(1, 2, 2, 3)
    log_variance = torch.tensor([0.0, math.log(3.0)])[None, :, None, None].expand(1, 2, 2, 3)
    together = Members(mean, log_variance).together((4, 6))
    torch.testing.assert_close(together, torch.full((1, 1, 4, 6), math.log(6.0)))
    one = Members(mean[:, :1], log_variance[:, 1:]).together((2, 3))
    torch.testing.assert_close(one, torch.full((1, 1, 2, 3), math.log(3.0)))


def test_nothing_but_the_head_learns_from_it() -> None:
    net = build_depth_network("monodepth2-slim", 0.1, 100.0, uncertainty=2)
    _, members = net.with_members(IMAGE)
    (members.mean.square().sum() + members.log_variance.sum()).backward()
    taught = {name.partition(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert taught == {"uncertainty"}
    assert all(p.grad.abs().sum() > 0 for p in net.uncertainty.parameters())


def test_members_begin_apart_and_near_the_usual_error() -> None:
    torch.manual_seed(0)
    net = build_depth_network("monodepth2-slim", 0.1, 100.0, uncertainty=4)
    with torch.no_grad():
        _, members = net.with_members(IMAGE)
    assert members.mean.std(1).min() > 0
    assert members.log_variance.min() > -5 and members.log_variance.max() < -3


def test_the_unit_of_depth_does_not_matter() -> None:
    inverse = 0.1 + torch.rand(1, 1, 32, 64)
    torch.testing.assert_close(cues(7.5 * inverse), cues(inverse), atol=1e-5, rtol=1e-5)


def test_variances_stay_finite_whatever_the_weights() -> None:
    head = UncertaintyHead(8, 2)
    torch.nn.init.constant_(head.last.bias, 1e6)
    with torch.no_grad():
        members = head(torch.rand(1, 8, 8, 8), 1 + torch.rand(1, 1, 32, 32))
    assert members.log_variance.max() <= 2.0 + 1e-5


def test_an_architecture_without_such_a_head_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Architecture(ARCHITECTURES["monodepth2-slim"].depth, pose=None)
    monkeypatch.setitem(ARCHITECTURES, "plain", plain)
    with pytest.raises(UserError, match="architecture plain has no head for uncertainty"):
        build_depth_network("plain", 0.1, 100.0, uncertainty=2)
