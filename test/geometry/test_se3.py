"""SE(3): closed forms, round trips and gradients, also at zero rotation."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monodepth_ros.geometry import se3

component = st.floats(-1.5, 1.5)


@given(st.tuples(*[component] * 6))
def test_log_inverts_exp(values: tuple[float, ...]) -> None:
    xi = torch.tensor(values, dtype=torch.float64)
    torch.testing.assert_close(se3.log(se3.exp(xi)), xi, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-6, 1e-3, 1.0, math.pi - 1e-5])
def test_exp_equals_the_matrix_exponential(angle: float) -> None:
    axis = torch.tensor([0.6, -0.48, 0.64], dtype=torch.float64)
    xi = torch.cat([torch.tensor([0.3, -2.0, 0.7], dtype=torch.float64), angle * axis])
    generator = torch.zeros(4, 4, dtype=torch.float64)
    generator[:3, :3] = se3.skew(xi[3:])
    generator[:3, 3] = xi[:3]
    torch.testing.assert_close(se3.exp(xi), torch.matrix_exp(generator), rtol=0, atol=1e-9)
    torch.testing.assert_close(se3.log(se3.exp(xi)), xi, rtol=0, atol=1e-8)


def test_rotation_by_a_quarter_turn() -> None:
    R = se3.rotation_from_axis_angle(torch.tensor([0.0, 0.0, math.pi / 2]))
    torch.testing.assert_close(R @ torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.0]))


def test_inverse_composes_to_identity() -> None:
    T = se3.exp(torch.randn(5, 6, dtype=torch.float64))
    identity = torch.eye(4, dtype=torch.float64).expand(5, 4, 4)
    torch.testing.assert_close(se3.inverse(T) @ T, identity)


def test_single_precision_round_trip_of_small_motions() -> None:
    xi = 1e-3 * torch.randn(100, 6)
    torch.testing.assert_close(se3.log(se3.exp(xi)), xi, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 1e-5, 0.7])
def test_gradients_are_right_and_finite(scale: float) -> None:
    xi = (scale * torch.randn(3, 6, dtype=torch.float64)).requires_grad_()
    # A step well above the width of the series at zero, so that differences mean something.
    assert torch.autograd.gradcheck(se3.exp, (xi,), eps=1e-5, atol=1e-4)
    assert torch.autograd.gradcheck(lambda x: se3.log(se3.exp(x)), (xi,), eps=1e-5, atol=1e-4)


def test_rotation_translation_keeps_the_translation() -> None:
    T = se3.from_axis_angle_translation(
        torch.tensor([[0.1, 0.2, 0.3]]), torch.tensor([[4.0, 5, 6]])
    )
    torch.testing.assert_close(T[0, :3, 3], torch.tensor([4.0, 5.0, 6.0]))
    torch.testing.assert_close(T[0, 3], torch.tensor([0.0, 0.0, 0.0, 1.0]))
