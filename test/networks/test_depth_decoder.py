"""The depth decoder: both ways to convolve what comes from below and from the encoder."""

import pytest
import torch

from monodepth_ros.networks.depth_decoder import DepthDecoder, Padding


@pytest.mark.parametrize("padding", ["reflect", "zeros"])
def test_apart_gives_the_same_but_for_rounding(padding: Padding) -> None:
    torch.manual_seed(0)
    channels = (4, 6, 8, 10, 12)
    decoder = DepthDecoder(channels, (4, 5, 6, 7, 8), padding).double()
    features = [torch.rand(2, c, 64 >> i, 96 >> i).double() for i, c in enumerate(channels, 1)]
    joined = decoder(features)
    decoder.apart = True
    apart = decoder(features)
    torch.testing.assert_close(apart, joined, rtol=1e-12, atol=1e-12)
    assert not all(torch.equal(one, other) for one, other in zip(apart, joined, strict=True))
