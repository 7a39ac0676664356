"""The warp that training runs: equal to the plain one, and its gradients."""

import torch

from monodepth_ros.geometry import se3
from monodepth_ros.geometry.reprojection import (
    sample_sources,
    sampling_coordinates,
    source_projection,
)
from monodepth_ros.geometry.warp import warp

HEIGHT, WIDTH = 24, 40
K = torch.tensor([[30.0, 0.2, 19.0], [0, 28.0, 11.0], [0, 0, 1]], dtype=torch.float64)


def test_it_equals_the_plain_warp_with_its_gradients() -> None:
    torch.manual_seed(0)
    sources = torch.rand(2, 2, 3, HEIGHT, WIDTH, dtype=torch.float64)
    xi = (0.05 * torch.randn(2, 2, 6, dtype=torch.float64)).requires_grad_()
    inverse_depth = (0.2 + torch.rand(2, 1, HEIGHT, WIDTH, dtype=torch.float64)).requires_grad_()
    intrinsics = K.expand(2, 3, 3)

    T = se3.exp(xi)
    projected = source_projection(T, intrinsics, HEIGHT, WIDTH)
    fused = sample_sources(sources, sampling_coordinates(inverse_depth, *projected), "border")
    plain = torch.stack(
        [warp(sources[:, s], 1 / inverse_depth, T[:, s], intrinsics)[0] for s in (0, 1)], 1
    )
    torch.testing.assert_close(fused, plain, rtol=0, atol=1e-5)
    gradients = [
        torch.autograd.grad(image.square().sum(), (inverse_depth, xi), retain_graph=True)
        for image in (fused, plain)
    ]
    for one, other in zip(*gradients, strict=True):
        assert float((one - other).norm() / other.norm()) < 1e-4


def test_gradient_of_coordinates_is_that_of_finite_differences():
    inverse_depth = torch.rand(2, 1, 3, 4, dtype=torch.float64) + 0.1
    T = se3.exp(0.1 * torch.randn(2, 2, 6, dtype=torch.float64))
    homography, epipole = source_projection(T, K.expand(2, 3, 3), 3, 4)
    inputs = [x.detach().requires_grad_() for x in (inverse_depth, homography, epipole)]
    assert torch.autograd.gradcheck(sampling_coordinates, inputs)


def test_points_at_the_camera_give_no_nan():
    # A source one metre ahead: what is at one metre depth lies in its camera's plane.
    T = torch.eye(4).expand(1, 2, 4, 4).clone()
    T[..., 2, 3] = -1.0
    homography, epipole = source_projection(T, K.float()[None], HEIGHT, WIDTH)
    homography.requires_grad_()
    inverse_depth = torch.ones(1, 1, HEIGHT, WIDTH, requires_grad=True)
    coordinates = sampling_coordinates(inverse_depth, homography, epipole)
    image = torch.rand(2, 3, HEIGHT, WIDTH)
    warped = sample_sources(image[None], coordinates, "border")
    warped.sum().backward()
    for x in (coordinates, warped, inverse_depth.grad, homography.grad):
        assert x.isfinite().all()
