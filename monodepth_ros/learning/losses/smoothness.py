"""Smoothness of disparity that edges of the image may break, of first and of second order.

Disparity is normalised by its mean (Wang et al., "Learning depth from monocular videos using direct
methods", 2018) so that a shrinking disparity does not lower the loss. By its spread instead, its
mean absolute deviation, less relief does not lower it either.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor

from monodepth_ros.learning.losses.arithmetic.edges import Edges, between, edge_weights, steps
from monodepth_ros.learning.losses.arithmetic.maps import image_size, masked_mean, resize_to_fit
from monodepth_ros.learning.losses.loss import MultiScaleLoss, Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step

Sizes = tuple[tuple[int, int], ...]


class EdgeAware(MultiScaleLoss):
    """A `measure` of disparity, halved from one scale to the next, and averaged over them.

    It goes with the depths that views are synthesised by, each with its share.
    """

    edge_decay: float = Field(1.0, ge=0, description="how fast it falls with image gradients")
    unit: Literal["mean", "spread"] = Field(
        "mean", description="of disparity, image by image: what its steps are measured in"
    )

    def __call__(self, step: Step) -> Terms:
        """Disparity is inverse depth beyond the farthest: a sigmoid, but for a factor."""
        loss = step.target.new_zeros(())
        for synthesis in step.syntheses:
            loss = loss + synthesis.share * self._over_scales(step, synthesis.inverse_depths)
        return Terms(loss)

    @abstractmethod
    def measure(self, disparity: Tensor, edges: Edges, valid: Tensor | None = None) -> Tensor:
        """Of ``disparity`` ``(B, 1, H, W)``, a scalar, given the image's `edge_weights`.

        Differences count in the ``unit`` of disparity, and between ``valid`` pixels alone (bool of
        that shape; None for all).
        """

    def _in_unit(self, disparity: Tensor, valid: Tensor | None) -> Tensor:
        mean = masked_mean(disparity, valid, (2, 3), keepdim=True)
        size = mean + 1e-7
        if self.unit == "spread":  # a map without any has steps in thousandths of its mean
            spread = masked_mean((disparity - mean).abs(), valid, (2, 3), keepdim=True)
            size = spread + 1e-3 * size
        return disparity / size

    def _over_scales(self, step: Step, inverse_depths: list[Tensor]) -> Tensor:
        scales = self.present(inverse_depths)
        disparities = [inverse_depths[scale] - 1 / step.max_depth for scale in scales]
        sizes = tuple(image_size(disparity) for disparity in disparities)
        edges = step.once(edges_of_target, self.edge_decay, sizes)
        masks = step.once(valid_at_sizes, sizes)
        each = [
            self.measure(disparity, weights, valid) / 2**scale
            for scale, disparity, weights, valid in zip(
                scales, disparities, edges, masks, strict=True
            )
        ]
        return torch.stack(each).mean()


class Smoothness(EdgeAware):
    """Surfaces face the camera unless the image has an edge; the weight is the published one.

    Heise et al., "PM-Huber", 2013, as used by Godard et al., 2017 and 2019.
    """

    name = "smoothness"
    weight: NonNegativeFloat = 1e-3

    def measure(self, disparity: Tensor, edges: Edges, valid: Tensor | None = None) -> Tensor:
        """``mean |dx d| exp(-decay |dx I|) + mean |dy d| exp(-decay |dy I|)``."""
        along_x, along_y = steps(self._in_unit(disparity, valid))
        of_x, of_y = (None, None) if valid is None else between(valid)
        return masked_mean(along_x.abs() * edges[0], of_x) + masked_mean(
            along_y.abs() * edges[1], of_y
        )


class Planarity(EdgeAware):
    """Surfaces are planes of any slant between edges; the weight suits plain indoor walls.

    Woodford et al., "Global stereo reconstruction under second-order smoothness priors", 2009.
    """

    name = "planarity"
    weight: NonNegativeFloat = 0.2

    def measure(self, disparity: Tensor, edges: Edges, valid: Tensor | None = None) -> Tensor:
        """``mean |dxx d| exp(...)`` and along y: 0 for a plane, linear in the pixel by disparity.

        Each second difference has the weights of both steps that it compares, so that a step or a
        fold on an edge of the image is cheap.
        """
        along_x, along_y = steps(self._in_unit(disparity, valid))
        of_x, of_y = edges
        inner_x = inner_y = None
        if valid is not None:
            inner_x, inner_y = between(valid)
            inner_x, inner_y = between(inner_x)[0], between(inner_y)[1]
        bend_x = (along_x[..., 1:] - along_x[..., :-1]).abs() * of_x[..., 1:] * of_x[..., :-1]
        bend_y = (along_y[..., 1:, :] - along_y[..., :-1, :]).abs()
        bend_y = bend_y * of_y[..., 1:, :] * of_y[..., :-1, :]
        return masked_mean(bend_x, inner_x) + masked_mean(bend_y, inner_y)


def edges_of_target(step: Step, decay: float, sizes: Sizes) -> list[Edges]:
    """`edge_weights` of the clean target at each size."""
    return [edge_weights(image, decay) for image in resize_to_fit(step.target, sizes)]


def valid_at_sizes(step: Step, sizes: Sizes) -> list[Tensor | None]:
    """Where pixels of each size are of valid ones alone; None where all of the target is valid."""
    if step.valid is None:
        return [None] * len(sizes)
    return [part == 0 for part in resize_to_fit((~step.valid).to(step.target), sizes)]
