import torch
from torch import Tensor

from monodepth_ros.networks.correlation_pose_net import CorrelationPoseNet, correlation


def correlation_by_loop(first: Tensor, second: Tensor, reach: int) -> Tensor:
    batch, _, height, width = first.shape
    size = 2 * reach + 1
    result = torch.zeros(batch, size * size, height, width, dtype=first.dtype)
    for y in range(height):
        for x in range(width):
            for dy in range(-reach, reach + 1):
                for dx in range(-reach, reach + 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        channel = (dy + reach) * size + dx + reach
                        product = first[:, :, y, x] * second[:, :, y + dy, x + dx]
                        result[:, channel, y, x] = product.sum(1)
    return result


def test_correlation_equals_a_loop_over_places_and_shifts() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 2, 3, 5, 7, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(correlation(first, second, 2), correlation_by_loop(first, second, 2))


def test_a_shifted_image_matches_at_its_shift() -> None:
    second = torch.nn.functional.normalize(torch.randn(1, 16, 8, 12), dim=1)
    first = second.roll((1, -2), dims=(2, 3))  # what is at (y, x) lies at (y - 1, x + 2)
    best = correlation(first, second, 2).argmax(1)[0, 2:-2, 2:-2]
    assert (best == (-1 + 2) * 5 + (2 + 2)).all()


def test_any_multiple_of_32_is_a_size() -> None:
    net = CorrelationPoseNet().eval()
    for size in ((32, 32), (32, 96), (96, 64)):
        axis_angle, translation = net(torch.rand(3, 3, *size), torch.rand(3, 3, *size))
        assert axis_angle.shape == translation.shape == (3, 3)


def test_the_network_survives_export() -> None:
    net = CorrelationPoseNet().eval()
    pair = torch.rand(1, 3, 64, 96), torch.rand(1, 3, 64, 96)
    exported = torch.export.export(net, pair).module()
    for mine, theirs in zip(net(*pair), exported(*pair), strict=True):
        torch.testing.assert_close(mine, theirs)
