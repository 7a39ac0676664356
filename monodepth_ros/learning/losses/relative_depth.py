"""What losses share that compare inverse depth but for a scale and a shift of each image.

That is all which models such as MiDaS and Depth Anything tell, so all a pupil can learn from them.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from monodepth_ros.learning.losses.arithmetic.affine import fitted, normalised
from monodepth_ros.learning.losses.arithmetic.maps import image_size, upsample
from monodepth_ros.learning.losses.loss import MultiScaleLoss, Need, Terms
from monodepth_ros.networks.registry import Ambiguity

if TYPE_CHECKING:
    from monodepth_ros.learning.step import Step


class RelativeDepth(MultiScaleLoss):
    """A `measure` of aligned inverse depth, averaged over images, then scales.

    Each scale is upsampled to the labels' size. Where an image is pasted together of two, each part
    is aligned and measured by itself, and counts by its area.
    """

    teaches = frozenset({"depth"})

    of: Literal["teacher", "truth"] = "teacher"  # pseudo depth of networks.teacher, or recorded
    # median: both maps less their median, over their mean deviation; else a fit to the labels
    form: Literal["median", "least_squares"] = "median"
    # auto: open, unless the teacher's card leaves the scale alone open. A pupil of an open shift
    # does not keep its own, and its inverse depth is no depth any more.
    shift: Literal["auto", "open", "known"] = "auto"

    # mypy: of other losses the class alone decides; of these their settings do.
    @property
    def needs(self) -> frozenset[Need]:  # type: ignore[override]
        """Labels of the kind that it learns from."""
        return frozenset({"pseudo_depth" if self.of == "teacher" else "depth"})

    def __call__(self, step: Step) -> Terms:
        """An image without a known pixel adds zero, and zero gradient."""
        if self.of == "teacher":
            seen, labels = step.taught, step.pseudo_labels
        else:
            seen, labels = step, [1 / step.true_depth]
        is_open = self.leaves_shift_open(step.teacher_ambiguity)
        counts = [_known(label).sum((1, 2, 3)) for label in labels]
        areas = torch.stack(counts).sum(0).clamp(min=1)
        losses = []
        for scale in self.present(seen.inverse_depths):
            inverse_depth = upsample(seen.inverse_depths[scale], image_size(labels[0]))
            for label, count in zip(labels, counts, strict=True):
                part = self._of_part(inverse_depth, label, is_open)
                losses.append((part * count / areas).mean())
        return Terms(torch.stack(losses).sum() * len(labels) / len(losses))

    def validation_figures(self, step: Step) -> dict[str, Tensor]:
        """The loss of the finest scale against the teacher; true depth has metrics of its own."""
        if self.of == "truth":
            return {}
        (label,) = step.pseudo_labels
        inverse_depth = upsample(step.inverse_depths[0], image_size(label))
        known = _known(label).flatten(1).any(1)
        is_open = self.leaves_shift_open(step.teacher_ambiguity)
        value = self._of_part(inverse_depth, label, is_open)
        return {self.name: value.where(known, torch.nan)}

    def leaves_shift_open(self, teacher: Ambiguity | None) -> bool:
        """Whether the shift of inverse depth does not matter, for a teacher of this ambiguity."""
        if self.shift == "auto":
            return self.of == "truth" or teacher in (None, "scale_and_shift")
        return self.shift == "open"

    @abstractmethod
    def measure(self, aligned: Tensor, label: Tensor, valid: Tensor) -> Tensor:
        """Of each image ``(B,)``, of aligned inverse depth and label ``(B, 1, H, W)``."""

    def _of_part(self, inverse_depth: Tensor, label: Tensor, shift: bool) -> Tensor:
        valid = _known(label)
        # The label is normalised in both forms: what unit a teacher speaks in must not matter.
        label = normalised(torch.where(valid, label, 0.0).to(inverse_depth), valid, shift)
        if self.form == "median":
            return self.measure(normalised(inverse_depth, valid, shift), label, valid)
        return self.measure(fitted(inverse_depth, label, valid, shift), label, valid)


def _known(inverse_depth: Tensor) -> Tensor:
    """Zero counts: it is the inverse depth of the sky, and the least that a ReLU says."""
    return torch.isfinite(inverse_depth) & (inverse_depth >= 0)
