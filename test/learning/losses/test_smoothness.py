"""Smoothness against loops over pixels."""

import math

import pytest
import torch

from monodepth_ros.learning.losses.arithmetic.edges import edge_weights
from monodepth_ros.learning.losses.arithmetic.maps import resize_to_fit
from monodepth_ros.learning.losses.smoothness import Planarity, Smoothness


def smoothness_by_loop(disparity, image):
    """One map (H, W) and one image (C, H, W), as nested lists of doubles."""
    height, width = len(disparity), len(disparity[0])
    mean = sum(map(sum, disparity)) / (height * width) + 1e-7
    sums = {(0, 1): [], (1, 0): []}
    for row in range(height):
        for column in range(width):
            for (down, right), terms in sums.items():
                if row + down == height or column + right == width:
                    continue
                there = (row + down, column + right)
                step = abs(disparity[there[0]][there[1]] - disparity[row][column]) / mean
                edges = [abs(c[there[0]][there[1]] - c[row][column]) for c in image]
                terms.append(step * math.exp(-sum(edges) / len(edges)))
    return sum(sum(terms) / len(terms) for terms in sums.values())


def test_equals_a_loop_over_pixels():
    disparity = torch.rand(2, 1, 5, 7, dtype=torch.float64)
    image = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    expected = sum(
        smoothness_by_loop(d[0].tolist(), i.tolist()) for d, i in zip(disparity, image, strict=True)
    )
    actual = Smoothness().measure(disparity, edge_weights(image)).item()
    assert math.isclose(actual, expected / 2, rel_tol=1e-12)


@pytest.mark.parametrize("unit", ["mean", "spread"])
@pytest.mark.parametrize("order", [Smoothness, Planarity])
def test_gradient_is_that_of_finite_differences(order, unit):
    disparity = torch.rand(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    weights = edge_weights(torch.rand(1, 3, 4, 5, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda d: order(unit=unit).measure(d, weights), disparity)


@pytest.mark.parametrize("unit", ["mean", "spread"])
@pytest.mark.parametrize("order", [Smoothness, Planarity])
def test_does_not_depend_on_the_scale_of_disparity(order, unit):
    disparity, weights = torch.rand(1, 1, 6, 6) + 0.1, edge_weights(torch.rand(1, 3, 6, 6))
    scaled = order(unit=unit).measure(0.1 * disparity, weights)
    torch.testing.assert_close(scaled, order(unit=unit).measure(disparity, weights))


@pytest.mark.parametrize("order", [Smoothness, Planarity])
def test_in_units_of_the_spread_less_relief_is_no_smoother(order):
    disparity, weights = torch.rand(1, 1, 6, 6) + 0.1, edge_weights(torch.rand(1, 3, 6, 6))
    flatter = 0.5 * (disparity + disparity.mean())
    by_mean, by_spread = order().measure, order(unit="spread").measure
    assert by_mean(flatter, weights).item() == pytest.approx(by_mean(disparity, weights).item() / 2)
    assert by_spread(flatter, weights).item() == pytest.approx(
        by_spread(disparity, weights).item(), rel=5e-3
    )


def test_a_map_without_relief_costs_nothing_in_either_unit():
    flat = torch.full((1, 1, 6, 6), 0.3, requires_grad=True)
    weights = edge_weights(torch.rand(1, 3, 6, 6))
    for unit in ("mean", "spread"):
        orders = (Smoothness(unit=unit), Planarity(unit=unit))
        loss = sum(order.measure(flat, weights) for order in orders)
        assert loss.item() == 0.0
        assert torch.autograd.grad(loss, flat)[0].isfinite().all()


def test_a_slanted_plane_costs_only_the_first_order():
    y, x = torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij")
    plane = (0.5 + 0.03 * x - 0.02 * y).expand(1, 1, 6, 8)
    weights = edge_weights(torch.rand(1, 3, 6, 8))
    assert Planarity().measure(plane, weights).item() < 1e-6
    assert Smoothness().measure(plane, weights).item() > 1e-2


def test_a_step_costs_its_height_on_both_sides_and_little_on_an_edge_of_the_image():
    step = (torch.arange(8) >= 4).float().expand(1, 1, 8, 8)
    off_edge = Planarity().measure(0.5 + step, edge_weights(torch.zeros(1, 3, 8, 8)))
    on_edge = Planarity().measure(0.5 + step, edge_weights(step.expand(1, 3, 8, 8), decay=3.0))
    torch.testing.assert_close(off_edge, torch.tensor(2 / 6))  # of 6 second differences in a row
    torch.testing.assert_close(on_edge, off_edge * math.exp(-3))


def test_edges_of_the_image_make_edges_of_disparity_cheap():
    step = (torch.arange(8) >= 4).float().expand(1, 1, 8, 8)
    on_edge = Smoothness().measure(0.5 + step, edge_weights(step.expand(1, 3, 8, 8)))
    off_edge = Smoothness().measure(0.5 + step, edge_weights(torch.zeros(1, 3, 8, 8)))
    torch.testing.assert_close(on_edge, off_edge * math.exp(-1))


def test_images_are_averaged_down_one_from_the_other():
    image = torch.rand(1, 3, 8, 12)
    full, half, quarter = resize_to_fit(image, [(8, 12), (4, 6), (2, 3)])
    assert full is image
    torch.testing.assert_close(half[0, 0, 1, 2], image[0, 0, 2:4, 4:6].mean())
    torch.testing.assert_close(quarter[0, 1, 1, 2], image[0, 1, 4:8, 8:12].mean())
