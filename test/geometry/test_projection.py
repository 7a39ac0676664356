"""Back-projection, projection and warping against closed forms."""

from __future__ import annotations

import pytest
import torch

from monodepth_ros.geometry import projection, se3
from monodepth_ros.geometry.warp import warp

HEIGHT, WIDTH = 12, 16


def intrinsics(batch: int = 1, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    K = torch.tensor([[20.0, 0.3, 7.5], [0.0, 18.0, 5.5], [0.0, 0.0, 1.0]], dtype=dtype)
    return K.expand(batch, 3, 3)


def test_inverse_intrinsics() -> None:
    K = intrinsics()
    torch.testing.assert_close(projection.inverse_intrinsics(K), torch.linalg.inv(K))


def test_the_principal_point_looks_along_the_axis() -> None:
    K = torch.tensor([[[20.0, 0, 7.0], [0, 18.0, 5.0], [0, 0, 1.0]]])
    ray = projection.rays(K, HEIGHT, WIDTH)[0, :, 5, 7]
    torch.testing.assert_close(ray, torch.tensor([0.0, 0.0, 1.0]))


def test_projection_inverts_backprojection() -> None:
    depth = 1.0 + torch.rand(2, 1, HEIGHT, WIDTH, dtype=torch.float64)
    K = intrinsics(2)
    pixels, z = projection.project(projection.backproject(depth, K), K)
    grid = projection.pixel_grid(HEIGHT, WIDTH, dtype=torch.float64).expand(2, -1, -1, -1)
    torch.testing.assert_close(pixels, grid, rtol=0, atol=1e-5)
    torch.testing.assert_close(z, depth)


def test_identity_warp_returns_the_image() -> None:
    image = torch.rand(1, 3, HEIGHT, WIDTH, dtype=torch.float64)
    depth = torch.full((1, 1, HEIGHT, WIDTH), 3.0, dtype=torch.float64)
    warped, _ = warp(image, depth, torch.eye(4, dtype=torch.float64)[None], intrinsics())
    torch.testing.assert_close(warped, image, rtol=0, atol=1e-5)


def test_sideways_motion_shifts_by_the_disparity() -> None:
    """A fronto-parallel plane at Z seen after moving by t shifts by f t / Z pixels."""
    image = torch.rand(1, 3, HEIGHT, WIDTH, dtype=torch.float64)
    depth = torch.full((1, 1, HEIGHT, WIDTH), 4.0, dtype=torch.float64)
    T = torch.eye(4, dtype=torch.float64)[None].clone()
    T[0, 0, 3] = 4.0 * 2.0 / 20.0  # two pixels
    warped, valid = warp(image, depth, T, intrinsics())
    torch.testing.assert_close(warped[..., :-2], image[..., 2:], rtol=0, atol=1e-5)
    assert not valid[..., -2:].any() and valid[..., 1:-3].all()


def test_points_behind_the_camera_are_invalid() -> None:
    image = torch.rand(1, 3, HEIGHT, WIDTH)
    depth = torch.full((1, 1, HEIGHT, WIDTH), 1.0)
    T = torch.eye(4)[None].clone()
    T[0, 2, 3] = -2.0
    warped, valid = warp(image, depth, T, intrinsics(dtype=torch.float32))
    assert not valid.any()
    assert torch.isfinite(warped).all()


def test_scaling_depth_and_translation_together_changes_nothing() -> None:
    """The ambiguity that a single camera cannot resolve."""
    image = torch.rand(1, 3, HEIGHT, WIDTH, dtype=torch.float64)
    depth = 1.0 + torch.rand(1, 1, HEIGHT, WIDTH, dtype=torch.float64)
    xi = torch.tensor([[0.1, -0.05, 0.2, 0.02, 0.01, -0.03]], dtype=torch.float64)
    T = se3.exp(xi)
    scaled = T.clone()
    scaled[:, :3, 3] *= 7.0
    once, _ = warp(image, depth, T, intrinsics())
    again, _ = warp(image, 7.0 * depth, scaled, intrinsics())
    torch.testing.assert_close(once, again, rtol=0, atol=1e-4)


@pytest.mark.parametrize("motion", [0.0, 0.05])
def test_warp_gradients(motion: float) -> None:
    torch.manual_seed(1)
    y, x = torch.meshgrid(torch.linspace(0, 3, 6), torch.linspace(0, 4, 8), indexing="ij")
    image = torch.stack([torch.sin(x), torch.cos(y), torch.sin(x + y)])[None].double()
    depth = (2.0 + torch.rand(1, 1, 6, 8, dtype=torch.float64)).requires_grad_()
    xi = (motion * torch.randn(1, 6, dtype=torch.float64) + 0.013).requires_grad_()
    K = torch.tensor([[[9.0, 0, 3.6], [0, 9.0, 2.6], [0, 0, 1]]], dtype=torch.float64)

    def render(depth: torch.Tensor, xi: torch.Tensor) -> torch.Tensor:
        warped, valid = warp(image, depth, se3.exp(xi), K)
        return (warped * valid)[..., 1:-1, 1:-1]

    assert torch.autograd.gradcheck(render, (depth, xi), eps=1e-7, atol=1e-4)
