"""Steps from pixel to pixel, and how much less they count on edges of the image."""

from __future__ import annotations

from torch import Tensor

Edges = tuple[Tensor, Tensor]  # weights of steps along x and along y


def steps(x: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences of ``(..., H, W)`` along x, ``(..., H, W - 1)``, and along y."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def between(valid: Tensor) -> tuple[Tensor, Tensor]:
    """Which `steps` are of two valid pixels."""
    return valid[..., 1:] & valid[..., :-1], valid[..., 1:, :] & valid[..., :-1, :]


def edge_weights(image: Tensor, decay: float = 1.0) -> Edges:
    """``exp(-decay mean_c |dx I|)``, ``(B, 1, H, W - 1)``, and along y, ``(B, 1, H - 1, W)``."""
    along_x, along_y = (
        step.abs_().mean(1, keepdim=True).mul_(-decay).exp_() for step in steps(image)
    )
    return along_x, along_y
