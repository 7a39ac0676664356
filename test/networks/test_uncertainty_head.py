"""The head for uncertainty: what it tells, what it leaves as it is, and how members become one."""

from __future__ import annotations

import math

import pytest
import torch

from monodepth_ros.errors import UserError
from monodepth_ros.networks.registry import ARCHITECTURES, Architecture, build_depth_network
from monodepth_ros.networks.uncertainty_head import UncertaintyHead, cues_of, sampled, together

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
    assert log_variance is not None and log_variance.shape == (2, 1, 8, 12)
    torch.testing.assert_close(log_variance, found.log_variance)
    with torch.no_grad():
        output, members = telling.with_members(IMAGE)
        assert plain.with_members(IMAGE)[1] is None
    assert members is not None and members.shape == (2, 2, 8, 12)
    assert output.log_variance is not None
    torch.testing.assert_close(together(members), output.log_variance)


def test_members_become_their_mixture() -> None:
    """Of variances 1 and 3: 2."""
    members = torch.tensor([0.0, math.log(3.0)])[None, :, None, None].expand(1, 2, 2, 3)
    torch.testing.assert_close(together(members), torch.full((1, 1, 2, 3), math.log(2.0)))
    torch.testing.assert_close(together(members[:, 1:]), members[:, 1:])


def test_nothing_but_the_head_learns_from_it() -> None:
    net = build_depth_network("monodepth2-slim", 0.1, 100.0, uncertainty=2)
    _, members = net.with_members(IMAGE)
    members.square().sum().backward()
    taught = {name.partition(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert taught == {"uncertainty"}
    assert all(p.grad.abs().sum() > 0 for p in net.uncertainty.parameters())


def scales(finest: torch.Tensor) -> list[torch.Tensor]:
    """Four that agree, as they are compared."""
    maps = [torch.nn.functional.avg_pool2d(finest, 2**s) for s in range(4)]
    return [maps[0], sampled(maps[1]), *maps[2:]]


def test_cues_are_what_they_say() -> None:
    """A part of the image is e times as far; the finest scale differs from the three others."""
    inverse = torch.ones(1, 1, 64, 128)
    inverse[..., 64 + 16 :] = math.exp(-1)
    distance, spread = cues_of(scales(inverse))[0]
    assert distance.shape == (8, 16)
    torch.testing.assert_close(distance[:, :6], torch.zeros(8, 6))  # the median is nearer
    torch.testing.assert_close(distance[:, -2:], torch.ones(8, 2))  # beyond what is averaged
    assert (distance[:, 6:14].diff(dim=1) >= -1e-6).all()
    finest, *others = scales(torch.ones(1, 1, 64, 128))
    distance, spread = cues_of([finest * math.exp(0.2), *others])[0]
    torch.testing.assert_close(distance, torch.zeros(8, 16), atol=1e-6, rtol=0)
    # Standard deviation of 0.2, 0, 0, 0: 0.2 sqrt(3) / 4.
    torch.testing.assert_close(spread, torch.full((8, 16), 0.05 * math.sqrt(3)), atol=1e-6, rtol=0)


def test_more_spread_and_more_distance_are_more_variance() -> None:
    torch.manual_seed(0)
    head = UncertaintyHead(8, 3).eval()
    features, inverse = torch.rand(1, 8, 4, 8), 0.5 + torch.rand(1, 1, 64, 128)
    with torch.no_grad():
        usual = head(features, scales(inverse))
        finest, *others = scales(inverse)
        spread = head(features, [finest, *(1.3 * other for other in others)])
        flat = head(features, scales(torch.full_like(inverse, 0.7)))
    assert (spread > usual).all() and (flat < usual).all()


def test_features_change_it_by_a_factor_at_most() -> None:
    head = UncertaintyHead(8, 2).eval()
    cues = scales(torch.ones(1, 1, 64, 64))
    with torch.no_grad():
        for bias, factor in ((1e6, math.exp(0.5)), (-1e6, math.exp(-0.5))):
            torch.nn.init.constant_(head.features[-1].bias, bias)
            stddev = (0.5 * head(torch.rand(1, 8, 4, 4), cues)).exp()
            torch.testing.assert_close(stddev, torch.full_like(stddev, 0.03 * factor))


def test_the_unit_of_depth_does_not_matter() -> None:
    inverse = 0.1 + torch.rand(1, 1, 32, 64)
    one, other = cues_of(scales(inverse)), cues_of(scales(7.5 * inverse))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_an_architecture_without_such_a_head_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Architecture(ARCHITECTURES["monodepth2-slim"].depth, pose=None)
    monkeypatch.setitem(ARCHITECTURES, "plain", plain)
    with pytest.raises(UserError, match="architecture plain has no head for uncertainty"):
        build_depth_network("plain", 0.1, 100.0, uncertainty=2)
