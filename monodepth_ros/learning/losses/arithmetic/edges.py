"""Smoothness that edges of the image may break: what both of its orders share.

Disparity is normalised by its mean (Wang et al., "Learning depth from monocular videos using direct
methods", 2018) so that a shrinking disparity does not lower the loss. By its spread instead, its
mean absolute deviation, less relief does not lower it either.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field
from torch import Tensor

from monodepth_ros.learning.losses.arithmetic.masked_mean import masked_mean
from monodepth_ros.learning.losses.arithmetic.resizing import image_size, resize_to_fit
from monodepth_ros.learning.losses.loss import Loss, MultiScaleSettings, Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step

Unit = Literal["mean", "spread"]  # of disparity, image by image: what its steps are measured in
Edges = tuple[Tensor, Tensor]  # weights of steps along x and along y
Sizes = tuple[tuple[int, int], ...]


class EdgeAwareSettings(MultiScaleSettings):
    """Of either order of smoothness."""

    edge_decay: float = Field(1.0, ge=0, description="how fast it falls with image gradients")
    unit: Unit = Field("mean", description="of disparity: what its steps count in")


class EdgeAware(Loss[EdgeAwareSettings]):
    """A `measure` of disparity, halved from one scale to the next, and averaged over them.

    It goes with the depths that views are synthesised by, each with its share.
    """

    Settings = EdgeAwareSettings

    def __call__(self, step: Step) -> Terms:
        """Disparity is inverse depth beyond the farthest: a sigmoid, but for a factor."""
        loss = step.target.new_zeros(())
        for synthesis in step.syntheses:
            loss = loss + synthesis.share * self._over_scales(step, synthesis.inverse_depths)
        return Terms(loss)

    @abstractmethod
    def measure(self, disparity: Tensor, edges: Edges, valid: Tensor | None) -> Tensor:
        """Of ``disparity`` ``(B, 1, H, W)``, a scalar, over ``valid`` pixels of that shape."""

    def _over_scales(self, step: Step, inverse_depths: list[Tensor]) -> Tensor:
        scales = self.settings.present(inverse_depths)
        disparities = [inverse_depths[scale] - 1 / step.max_depth for scale in scales]
        sizes = tuple(image_size(disparity) for disparity in disparities)
        edges = step.once(edges_of_target, self.settings.edge_decay, sizes)
        masks = step.once(valid_at_sizes, sizes)
        each = [
            self.measure(disparity, weights, valid) / 2**scale
            for scale, disparity, weights, valid in zip(
                scales, disparities, edges, masks, strict=True
            )
        ]
        return torch.stack(each).mean()


def edges_of_target(step: Step, decay: float, sizes: Sizes) -> list[Edges]:
    """`edge_weights` of the clean target at each size."""
    return [edge_weights(image, decay) for image in resize_to_fit(step.target, sizes)]


def valid_at_sizes(step: Step, sizes: Sizes) -> list[Tensor | None]:
    """Where pixels of each size are of valid ones alone; None where all of the target is valid."""
    if step.valid is None:
        return [None] * len(sizes)
    return [part == 0 for part in resize_to_fit((~step.valid).to(step.target), sizes)]


def edge_weights(image: Tensor, decay: float = 1.0) -> Edges:
    """``exp(-decay mean_c |dx I|)``, ``(B, 1, H, W - 1)``, and along y, ``(B, 1, H - 1, W)``."""
    along_x = image[..., 1:] - image[..., :-1]
    along_y = image[..., 1:, :] - image[..., :-1, :]
    return (
        along_x.abs_().mean(1, keepdim=True).mul_(-decay).exp_(),
        along_y.abs_().mean(1, keepdim=True).mul_(-decay).exp_(),
    )


def between(valid: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
    """Which forward differences along x and y are of two valid pixels."""
    if valid is None:
        return None, None
    return valid[..., 1:] & valid[..., :-1], valid[..., 1:, :] & valid[..., :-1, :]


def steps(disparity: Tensor, unit: Unit, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Forward differences along x and y of the disparity in its unit."""
    mean = masked_mean(disparity, valid, (2, 3), keepdim=True)
    size = mean + 1e-7
    if unit == "spread":  # a map without any has steps in thousandths of its mean
        spread = masked_mean((disparity - mean).abs(), valid, (2, 3), keepdim=True)
        size = spread + 1e-3 * size
    measured = disparity / size
    return (
        measured[..., 1:] - measured[..., :-1],
        measured[..., 1:, :] - measured[..., :-1, :],
    )
