"""A loss over a batch, evaluated slice by slice with its gradient.

Per-pixel losses need many full-resolution intermediates for a single number. Taking the gradient
of each slice of the batch at once keeps them in the processor's cache and frees them before the
next slice, where one graph over the batch would hold them all until the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import torch
from torch import Tensor

# A three-channel map of about this many pixels stays in a CPU's cache.
_CPU_SLICE_PIXELS = 128 * 1024

SliceFunction = Callable[..., tuple[Tensor, Tensor]]


def batch_slices(images: Tensor) -> list[slice]:
    """How to cut a batch ``(B, ..., H, W)``: for the cache on a CPU, elsewhere not at all."""
    batch = images.shape[0]
    if images.device.type != "cpu":
        return [slice(0, batch)]
    pixels = batch * images.shape[-2] * images.shape[-1]
    # As even as possible: compiled functions are specialised to the size of a slice.
    count = ceil(batch / min(batch, ceil(pixels / _CPU_SLICE_PIXELS)))
    return [slice(start, start + count) for start in range(0, batch, count)]


def slicewise_sum(
    function: SliceFunction, slices: Sequence[slice], inputs: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Sum ``function(s, *(x[s] for x in inputs))`` over ``slices``; differentiable once.

    Args:
        function: returns a scalar to sum and a tensor without gradient to sum beside it.
        slices: disjoint slices of the first dimension that cover it.
        inputs: tensors with the batch first; the sum is differentiable in them alone.
    """
    if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
        return _SlicewiseSum.apply(function, slices, *inputs)
    parts = [function(s, *(x[s] for x in inputs)) for s in slices]
    values, extras = zip(*parts, strict=True)
    return torch.stack(values).sum(), torch.stack(extras).sum(0)


class _SlicewiseSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, function: SliceFunction, slices: Sequence[slice], *inputs: Tensor
    ) -> tuple[Tensor, Tensor]:
        needed = ctx.needs_input_grad[2:]
        gradients = [
            torch.empty_like(x) if n else None for x, n in zip(inputs, needed, strict=True)
        ]
        value: Any = 0
        extra: Any = 0
        for s in slices:
            with torch.enable_grad():
                leaves = [
                    x[s].detach().requires_grad_(need)
                    for x, need in zip(inputs, needed, strict=True)
                ]
                part, part_extra = function(s, *leaves)
                wanted = [leaf for leaf in leaves if leaf.requires_grad]
                by_leaf = iter(torch.autograd.grad(part, wanted, allow_unused=True))
            for gradient in gradients:
                if gradient is not None:
                    slice_gradient = next(by_leaf)
                    gradient[s] = 0 if slice_gradient is None else slice_gradient
            value = value + part.detach()
            extra = extra + part_extra
        ctx.save_for_backward(*gradients)
        ctx.mark_non_differentiable(extra)
        return value, extra

    @staticmethod
    def backward(ctx: Any, by_value: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        scaled = [None if g is None else g * by_value for g in ctx.saved_tensors]
        return None, None, *scaled
