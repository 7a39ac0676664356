"""The weighted median."""

from __future__ import annotations

import torch

from monodepth_ros.learning.losses.arithmetic.median import weighted_median


def test_of_equal_weights_it_is_the_lower_median() -> None:
    values = torch.randn(5, 4, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(weighted_median(values, torch.ones_like(values)), values.median(-1).values)
    even = values[..., :8]
    assert torch.equal(weighted_median(even, torch.ones_like(even)), even.median(-1).values)


def test_whole_weights_repeat_a_value() -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(50, 7, generator=generator)
    weights = torch.randint(0, 4, (50, 7), generator=generator)
    weights[:, 0] += 1  # never none at all
    for value, weight, found in zip(
        values, weights, weighted_median(values, weights.float()), strict=True
    ):
        assert found == value.repeat_interleave(weight).median()


def test_what_has_no_weight_is_never_taken() -> None:
    values, weights = torch.tensor([3.0, -100.0, 1.0]), torch.tensor([1.0, 0.0, 0.1])
    assert weighted_median(values, weights) == 3.0
    assert weighted_median(values, torch.zeros(3)).isfinite()


def test_its_gradient_is_that_of_the_value() -> None:
    values = torch.tensor([5.0, 1.0, 3.0], requires_grad=True)
    weighted_median(values, torch.ones(3)).backward()
    assert values.grad is not None and values.grad.tolist() == [0.0, 0.0, 1.0]
