"""A frozen model whose depth another one learns from, or stays near while it learns."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.networks.registry import Ambiguity


class Teacher:
    """A model in an engine, as live: it sees what the pupil sees, and learns nothing."""

    def __init__(self, model: Path, size: tuple[int, int], pupil: Ambiguity = "scale") -> None:
        """Load it, for a ``pupil`` of that ambiguity. UserError where it is not of ``size``
        (height, width), or leaves a shift open that the pupil does not."""
        self.engine = load_engine(model)
        if self.engine.card.ambiguity == "scale_and_shift" != pupil:
            raise UserError(
                f"networks.teacher: {model} leaves the shift of its inverse depth open, which is"
                " no depth: learn from it by losses.scale_shift_invariant and gradient_matching"
            )
        if self.engine.size != size:
            height, width = self.engine.size
            raise UserError(
                f"networks.teacher: {model} works on images of {width}x{height}, but data.size is"
                f" {size[1]}x{size[0]}"
            )

    @torch.no_grad()
    def depth(self, images: Tensor) -> Tensor:
        """``(B, 1, H, W)`` of images ``(B, 3, H, W)`` in [0, 1], in the teacher's unit.

        An engine takes bytes, so the images are rounded to 256 grey levels.
        """
        bytes_ = (255 * images).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
        inverse_depth = self.engine.inverse_depth(self.engine.prepare(bytes_.cpu().numpy()))
        return 1 / torch.from_numpy(inverse_depth)[:, None].to(images.device)
