"""Depth where the rays of two views meet."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from monodepth_ros.geometry import se3
from monodepth_ros.geometry.triangulation import rays_of_pixels, triangulate


def scene(dtype: torch.dtype = torch.float64, step: float = 0.3) -> tuple[Tensor, Tensor]:
    """Points ``(2, 3, 20, 3)`` before both cameras, and motions ``(2, 3, 4, 4)``."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 3, 20, 3, generator=generator, dtype=torch.float64) * 2 - 1
    points[..., 2] += 4.0
    xi = torch.randn(2, 3, 6, generator=generator, dtype=torch.float64)
    xi[..., :3] *= step / xi[..., :3].norm(dim=-1, keepdim=True)
    xi[..., 3:] *= 0.05
    return points.to(dtype), se3.exp(xi).to(dtype)


def seen(points: Tensor, T: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rays of both views, and the depth in the second."""
    moved = points @ T[..., :3, :3].mT + T[..., None, :3, 3]
    return points / points[..., 2:], moved / moved[..., 2:], moved[..., 2]


def test_points_are_where_they_were() -> None:
    points, T = scene()
    first, second, depth = seen(points, T)
    found = triangulate(first, second, T)
    torch.testing.assert_close(found.first, points[..., 2], rtol=1e-12, atol=0)
    torch.testing.assert_close(found.second, depth, rtol=1e-12, atol=0)
    turned = first @ T[..., :3, :3].mT
    cosine = (turned * second).sum(-1) / turned.norm(dim=-1) / second.norm(dim=-1)
    torch.testing.assert_close(found.parallax, cosine.acos(), rtol=1e-6, atol=1e-9)


def test_depth_is_in_the_unit_of_the_motion() -> None:
    points, T = scene()
    first, second, _ = seen(points, T)
    longer = se3.from_rotation_translation(T[..., :3, :3], 7 * T[..., :3, 3])
    one, other = triangulate(first, second, T), triangulate(first, second, longer)
    torch.testing.assert_close(other.first, 7 * one.first, rtol=1e-12, atol=0)
    assert torch.equal(one.parallax, other.parallax)


def test_a_small_parallax_loses_little_in_single_precision() -> None:
    points, T = scene(torch.float64, step=0.02)
    first, second, _ = seen(points, T)
    found = triangulate(first.float(), second.float(), T.float())
    clear = found.parallax > 1e-3
    assert clear.float().mean() > 0.8
    error = (found.first / points[..., 2] - 1).abs()
    assert error[clear].max() < 1e-3


def test_it_fits_the_second_ray_best() -> None:
    """Off the epipolar line there is no exact depth: a little more or less fits worse."""
    points, T = scene()
    first, second, _ = seen(points, T)
    second = second + 0.01 * torch.randn(
        second.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    ) * torch.tensor([1.0, 1.0, 0.0])
    depth = triangulate(first, second, T).first

    def misfit(z: Tensor) -> Tensor:
        moved = z[..., None] * first @ T[..., :3, :3].mT + T[..., None, :3, 3]
        return torch.linalg.cross(second, moved).square().sum(-1)

    for factor in (0.999, 1.001):
        assert (misfit(depth) < misfit(factor * depth)).all()


def test_rays_that_part_meet_behind() -> None:
    points, T = scene()
    first, second, _ = seen(points, T)
    backward = se3.from_rotation_translation(T[..., :3, :3], -T[..., :3, 3])
    assert (triangulate(first, second, backward).first < 0).all()


def test_without_a_parallax_all_is_finite() -> None:
    first = torch.tensor([[0.1, 0.2, 1.0]], requires_grad=True)
    found = triangulate(first, first.detach(), torch.eye(4))
    assert found.parallax.item() < 1e-5 and found.first.isfinite().all()
    found.first.sum().backward()
    assert first.grad is not None and first.grad.isfinite().all()


def test_gradients() -> None:
    points, T = scene()
    first, second, _ = seen(points[:1, :1, :3], T[:1, :1])
    inputs = [x.detach().requires_grad_() for x in (first, second, T[:1, :1])]
    assert torch.autograd.gradcheck(lambda *x: tuple(triangulate(*x)), inputs)


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_rays_of_pixels_come_from_them(shape: tuple[int, ...]) -> None:
    K = torch.tensor([[50.0, 0.5, 31.0], [0.0, 60.0, 15.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    pixels = 30 * torch.rand(*shape, 5, 2, dtype=torch.float64)
    rays = rays_of_pixels(pixels, K.expand(*shape, 3, 3))
    back = rays @ K.mT
    torch.testing.assert_close(back[..., :2], pixels)
    assert (rays[..., 2] == 1).all()
