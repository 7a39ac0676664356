"""Losses of relative depth against NumPy from the formulae, and what they are blind to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from recipes import small_recipe
from steps import loss_of, step_of
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.learning.losses.arithmetic.affine import fitted, normalised
from monodepth_ros.learning.losses.relative_depth import RelativeDepth

HEIGHT, WIDTH = 12, 17
Map = NDArray[np.float64]
LOSSES = ("scale_shift_invariant", "gradient_matching")
FORMS = ("median", "least_squares")


def maps(count: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 1, HEIGHT, WIDTH)
    return 0.05 + torch.rand(shape, generator=generator, dtype=torch.float64)


def labels(count: int = 3, seed: int = 1, missing: float = 0.2) -> Tensor:
    told = 7 * maps(count, seed) + 2
    told[torch.rand(told.shape, generator=torch.Generator().manual_seed(seed)) < missing] = math.nan
    return told


def loss(name: str, inverse_depth: Tensor, label: Tensor, **settings: Any) -> Tensor:
    count = len(label)
    batch = {
        "images": torch.zeros(count, 1, 3, HEIGHT, WIDTH, dtype=torch.float64),
        "K": torch.eye(3, dtype=torch.float64).expand(count, 3, 3),
        "pseudo_inverse_depth": label,
    }
    return loss_of(name, scales=(0,), **settings)(step_of(batch, [inverse_depth])).loss


def without_scale_and_shift(values: Map, shift: bool = True) -> Map:
    """Of known pixels alone; the median is the lower one of the middle."""
    middle = np.sort(values)[(len(values) - 1) // 2] if shift else 0.0
    return (values - middle) / np.abs(values - middle).mean()


def aligned(
    inverse_depth: Map, label: Map, valid: NDArray[np.bool_], form: str, shift: bool = True
) -> Map:
    """``d - d*`` (H, W), NaN where the label is unknown: by the normal equations as published."""
    x, y = inverse_depth[valid], without_scale_and_shift(label[valid], shift)
    if form == "median":
        x = without_scale_and_shift(x, shift)
    else:
        v = np.stack([x, np.ones_like(x)], 1) if shift else x[:, None]
        x = v @ np.linalg.solve(v.T @ v, v.T @ y)
    result = np.full(label.shape, np.nan)
    result[valid] = x - y
    return result


def of_values(residual: Map, form: str, trim: float) -> float:
    known = residual[np.isfinite(residual)]
    size = np.sort(np.abs(known) if form == "median" else known**2)
    kept = len(size) - math.floor(trim * len(size))
    return float(size[:kept].sum() / (2 * len(size)))


def of_gradients(residual: Map, levels: int) -> float:
    total, count = 0.0, np.isfinite(residual).sum()
    for level in range(levels):
        r = residual[:: 2**level, :: 2**level]
        for row in range(r.shape[0]):
            for column in range(r.shape[1]):
                for other in ((row, column + 1), (row + 1, column)):
                    if other[0] < r.shape[0] and other[1] < r.shape[1]:
                        step = r[other] - r[row, column]
                        total += 0.0 if math.isnan(step) else abs(step)
    return float(total / count)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("trim", [0.0, 0.2])
def test_values_are_those_of_the_formula(form: str, trim: float) -> None:
    x, y = maps(), labels()
    expected = [
        of_values(aligned(a[0].numpy(), b[0].numpy(), np.isfinite(b[0].numpy()), form), form, trim)
        for a, b in zip(x, y, strict=True)
    ]
    found = loss("scale_shift_invariant", x, y, form=form, trim=trim)
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_shift_that_is_known_matters(form: str) -> None:
    x, y = maps(), labels()
    expected = [
        of_values(
            aligned(a[0].numpy(), b[0].numpy(), np.isfinite(b[0].numpy()), form, False), form, 0.0
        )
        for a, b in zip(x, y, strict=True)
    ]
    found = loss("scale_shift_invariant", x, y, form=form, shift="known")
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-12)
    again = loss("scale_shift_invariant", 3 * x, 5 * y, form=form, shift="known")
    torch.testing.assert_close(again, found)
    shifted = loss("scale_shift_invariant", x + 1, y, form=form, shift="known")
    assert abs(shifted - found) > 0.01 * found


def test_the_teachers_card_says_whether_the_shift_is_known() -> None:
    member = loss_of("gradient_matching")
    assert isinstance(member, RelativeDepth)
    open_for = [member.leaves_shift_open(a) for a in ("none", "scale", "scale_and_shift", None)]
    assert open_for == [False, False, True, True]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("levels", [1, 4])
def test_gradients_are_those_of_the_formula(form: str, levels: int) -> None:
    x, y = maps(), labels()
    expected = [
        of_gradients(aligned(a[0].numpy(), b[0].numpy(), np.isfinite(b[0].numpy()), form), levels)
        for a, b in zip(x, y, strict=True)
    ]
    found = loss("gradient_matching", x, y, form=form, levels=levels)
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("form", FORMS)
def test_derivatives_are_those_of_finite_differences(name: str, form: str) -> None:
    x, y = maps(2).requires_grad_(), labels(2)
    assert torch.autograd.gradcheck(lambda d: loss(name, d, y, form=form), x)


def test_derivatives_of_what_is_trimmed_are_zero() -> None:
    x, y = maps(1).requires_grad_(), labels(1, missing=0.0)
    assert torch.autograd.gradcheck(lambda d: loss("scale_shift_invariant", d, y, trim=0.2), x)
    x = maps(1)
    y = 3 * x + 1
    y[0, 0, 0, 0] = 50.0  # a teacher's outlier
    assert loss("scale_shift_invariant", x, y).item() > 0.1
    trimmed = loss("scale_shift_invariant", x, y, trim=0.2).item()
    assert trimmed < 0.5 * loss("scale_shift_invariant", x, y).item()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("form", FORMS)
def test_scale_and_shift_of_both_do_not_matter(name: str, form: str) -> None:
    x, y = maps(), labels()
    expected = loss(name, x, y, form=form)
    torch.testing.assert_close(loss(name, 0.01 * x + 5, y, form=form), expected)
    torch.testing.assert_close(loss(name, x, 1e3 * y + 70, form=form), expected)
    assert loss(name, 4 * y.nan_to_num(1.0) + 3, y, form=form).item() < 1e-12


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("form", FORMS)
def test_unknown_pixels_take_no_part(name: str, form: str) -> None:
    x, y = maps(), labels()
    other = torch.where(y.isnan(), 9.0, x).requires_grad_()
    found = loss(name, other, y, form=form)
    torch.testing.assert_close(found, loss(name, x, y, form=form))
    found.backward()
    assert other.grad is not None and (other.grad[y.isnan()] == 0).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_maps_that_are_flat_or_unknown_do_no_harm(name: str, form: str, dtype: torch.dtype) -> None:
    x, y = maps(4).to(dtype), labels(4).to(dtype)
    x[0], y[1], y[2] = 0.3, 4.0, math.nan
    x.requires_grad_()
    found = loss(name, x, y, form=form)
    found.backward()
    assert torch.isfinite(found) and x.grad is not None and torch.isfinite(x.grad).all()
    assert (x.grad[2] == 0).all() and x.grad[3].abs().max() > 0
    if form == "least_squares":  # a flat map fits best as the mean of its labels
        valid = y[0].isfinite()
        label = normalised(y[:1].nan_to_num(), valid[None])
        mean = fitted(x[:1].detach(), label, valid[None])
        torch.testing.assert_close(mean, label[valid[None]].mean().expand_as(mean))


def test_true_depth_serves_as_well() -> None:
    x, y = maps(), labels()
    batch = {
        "images": torch.zeros(3, 1, 3, HEIGHT, WIDTH, dtype=torch.float64),
        "K": torch.eye(3, dtype=torch.float64).expand(3, 3, 3),
        "depth": 1 / y,
    }
    for name in LOSSES:
        member = loss_of(name, scales=(0,), of="truth")
        assert member.needs == {"depth"}
        torch.testing.assert_close(member(step_of(batch, [x])).loss, loss(name, x, y))


def test_a_teacher_must_be_named() -> None:
    with pytest.raises(UserError, match=r"losses.scale_shift_invariant learns .* \(--teacher\)"):
        small_recipe(losses={"scale_shift_invariant": {}})
    small_recipe(losses={"scale_shift_invariant": {"of": "truth"}})
    with pytest.raises(UserError, match="perturbation is for losses by pseudo depth"):
        small_recipe(
            losses={"supervised": {}}, data={"augmentation": {"perturbation": {"cutmix": 1.0}}}
        )
