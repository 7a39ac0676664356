"""SSIM and the photometric error against a loop over windows in double precision."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from monodepth_ros.learning.losses.arithmetic.photometric_error import (
    FixedTarget,
    box_mean,
    photometric_error,
    ssim_dissimilarity,
)


def dissimilarity_by_loop(a, b):
    """(1 - SSIM) / 2 of one channel, one window at a time."""
    a, b = (np.pad(image, 1, mode="reflect") for image in (a, b))
    result = np.empty((a.shape[0] - 2, a.shape[1] - 2))
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            x, y = (image[row : row + 3, column : column + 3] for image in (a, b))
            covariance = ((x - x.mean()) * (y - y.mean())).mean()
            numerator = (2 * x.mean() * y.mean() + 0.01**2) * (2 * covariance + 0.03**2)
            denominator = x.mean() ** 2 + y.mean() ** 2 + 0.01**2
            denominator *= x.var() + y.var() + 0.03**2
            result[row, column] = (1 - numerator / denominator) / 2
    return result.clip(0, 1)


def error_by_loop(a, b, weight=0.85):
    """Per-pixel error of images (C, H, W)."""
    dissimilarity = np.mean([dissimilarity_by_loop(x, y) for x, y in zip(a, b, strict=True)], 0)
    return weight * dissimilarity + (1 - weight) * np.abs(a - b).mean(0)


def naive_error(a, b, weight=0.85):
    """The published formula with library pooling, differentiable by autograd."""

    def mean(x):
        return F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, 1)

    mu_a, mu_b = mean(a), mean(b)
    var_a, var_b = mean(a**2) - mu_a**2, mean(b**2) - mu_b**2
    covariance = mean(a * b) - mu_a * mu_b
    ssim = (2 * mu_a * mu_b + 0.01**2) * (2 * covariance + 0.03**2)
    ssim = ssim / ((mu_a**2 + mu_b**2 + 0.01**2) * (var_a + var_b + 0.03**2))
    dissimilarity = ((1 - ssim) / 2).clamp(0, 1).mean(1, keepdim=True)
    return weight * dissimilarity + (1 - weight) * (a - b).abs().mean(1, keepdim=True)


def images(*shape, dtype=torch.float64):
    first = torch.rand(shape, dtype=torch.float64)
    second = (first + 0.2 * torch.randn(shape, dtype=torch.float64)).clamp(0, 1)
    return first.to(dtype), second.to(dtype)


def relative(a, b):
    return ((a.double() - b).norm() / b.norm()).item()


def test_dissimilarity_equals_a_loop_over_windows():
    first, second = images(1, 1, 6, 9)
    expected = dissimilarity_by_loop(first[0, 0].numpy(), second[0, 0].numpy())
    np.testing.assert_allclose(ssim_dissimilarity(first, second)[0, 0], expected, rtol=1e-10)


@pytest.mark.parametrize("weight", [0.85, 1.0, 0.3, 0.0])
def test_error_equals_a_loop_over_windows(weight):
    first, second = images(1, 3, 5, 7)
    expected = error_by_loop(first[0].numpy(), second[0].numpy(), weight)
    for error in (
        photometric_error(first, second, weight),
        FixedTarget.of(second).photometric_error(first, weight),
    ):
        np.testing.assert_allclose(error[0, 0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-11), (torch.float32, 1e-5)])
def test_error_and_gradient_equal_the_published_formula(dtype, tolerance):
    first, second = images(2, 3, 24, 40)
    first.requires_grad_()
    expected = naive_error(first, second)
    upstream = torch.rand_like(expected)
    (expected_gradient,) = torch.autograd.grad(expected, first, upstream)

    image = first.detach().to(dtype).requires_grad_()
    for error in (
        FixedTarget.of(second.to(dtype)).photometric_error(image),
        photometric_error(image, second.to(dtype)),
    ):
        (gradient,) = torch.autograd.grad(error, image, upstream.to(dtype))
        assert relative(error.detach(), expected.detach()) < tolerance
        assert relative(gradient, expected_gradient) < tolerance


def test_gradients_are_those_of_finite_differences():
    first, second = images(1, 2, 4, 5)
    first.requires_grad_()
    target = FixedTarget.of(second)
    assert torch.autograd.gradcheck(target.photometric_error, first)
    second.requires_grad_()
    assert torch.autograd.gradcheck(photometric_error, (first, second))
    assert torch.autograd.gradcheck(box_mean, first)


def test_one_target_serves_several_sources():
    sources, target = images(2, 3, 3, 8, 8)[0], images(2, 1, 3, 8, 8)[0]
    errors = FixedTarget.of(target).photometric_error(sources)
    assert errors.shape == (2, 3, 1, 8, 8)
    torch.testing.assert_close(errors[:, 1], naive_error(sources[:, 1], target[:, 0]))
    torch.testing.assert_close(
        FixedTarget.of(target)[1:].photometric_error(sources[1:]), errors[1:]
    )


def test_equal_images_have_no_error_and_opposite_ones_the_largest():
    image, _ = images(1, 3, 6, 6)
    assert FixedTarget.of(image).photometric_error(image).abs().max() < 1e-12
    stripes = (torch.arange(8) % 2).double().expand(1, 3, 8, 8)
    error = FixedTarget.of(stripes).photometric_error(1 - stripes)
    assert error[..., 1:-1].min() > 0.9


def test_flat_images_keep_gradients_finite():
    flat = torch.full((1, 3, 5, 5), 0.5, requires_grad=True)
    FixedTarget.of(torch.zeros(1, 3, 5, 5)).photometric_error(flat).sum().backward()
    assert flat.grad.isfinite().all() and (flat.grad > 0).all()


@pytest.mark.slow
def test_compiled_error_and_gradient_equal_the_uncompiled():
    first, second = images(1, 3, 16, 24, dtype=torch.float32)
    results = []
    for compiled in (False, True):
        image = first.clone().requires_grad_()
        error = FixedTarget.of(second, compiled).photometric_error(image)
        error.mean().backward()
        results.append((error.detach(), image.grad))
    torch.testing.assert_close(results[0], results[1], rtol=1e-4, atol=1e-7)
