"""Features of the pupil point where those of a frozen encoder point, unless they nearly do.

Yang et al., "Depth Anything: unleashing the power of large-scale unlabeled data", CVPR 2024. There
both are DINOv2s; here a learnt linear map takes the pupil's features into the encoder's space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.validity import shrunk
from monodepth_ros.learning.losses.arithmetic.maps import image_size, masked_mean
from monodepth_ros.learning.losses.loss import Loss, Terms

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


class SemanticPreservation(Loss):
    """``mean 1 - cos(f, f')`` over the patches whose cosine is below ``margin``.

    What is nearly alike may differ by what depth needs: parts of one thing lie at other depths.
    """

    name = "semantic_preservation"
    needs = frozenset({"semantics"})

    encoder: str = Field(description="folder of a published DINOv2")
    margin: float = Field(0.85, ge=-1, le=1)

    def __call__(self, step: Step) -> Terms:
        """At the encoder's patches; 0 where all are alike. ``below``: the share that counts."""
        seen = step.taught
        theirs = seen.semantic_features
        ours = F.interpolate(
            seen.own_features.to(theirs), image_size(theirs), mode="bilinear", align_corners=False
        )
        cosine = F.cosine_similarity(ours, theirs, dim=1)[:, None]
        counted = self._counted(cosine, seen.valid)
        return Terms(masked_mean(1 - cosine, counted), {"below": counted.float().mean()})

    def _counted(self, cosine: Tensor, valid: Tensor | None) -> Tensor:
        below = cosine.detach() < self.margin
        if valid is None:
            return below
        return torch.logical_and(below, shrunk(valid, image_size(cosine)))
