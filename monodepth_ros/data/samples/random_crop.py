"""Random crops, enlarged to the full image: other focal lengths and framings of one recording.

Not part of Monodepth2; without it a network that learns from true depth of few cameras reads depth
off the framing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Crops:
    """Where the pixels ``u'`` of the enlarged crops lie in the images: ``u = origin + step u'``.

    Both are Bx2, x first; ``step`` is at most 1.
    """

    origin: Tensor
    step: Tensor

    @classmethod
    def draw(
        cls,
        count: int,
        height: int,
        width: int,
        smallest: float,
        aspect: float,
        generator: torch.Generator | None = None,
    ) -> Crops:
        """Crops of ``smallest`` to 1 of each side, somewhere in the image.

        ``aspect`` is how far, at most, the ratio of the sides changes: 0.1 for 10 %.
        """
        uniform = torch.rand(count, 4, generator=generator)
        side = smallest + (1.0 - smallest) * uniform[:, :1]
        stretch = (1.0 + aspect) ** (uniform[:, 1:2] - 0.5)
        step = torch.cat([side * stretch, side / stretch], 1).clamp(max=1.0)
        span = torch.tensor([width - 1.0, height - 1.0])
        return cls(uniform[:, 2:] * span * (1.0 - step), step)

    def to(self, device: torch.device) -> Crops:
        """The same on another device."""
        return Crops(self.origin.to(device), self.step.to(device))

    def images(self, images: Tensor, mode: str = "bilinear") -> Tensor:
        """Maps ``(B, F, C, H, W)`` or ``(B, C, H, W)``, cropped and enlarged to their own size.

        ``mode`` is ``nearest`` for maps that must not be mixed, such as depth with its NaN.
        """
        height, width = images.shape[-2:]
        stacked = images.reshape(len(images), -1, height, width)
        grid = self._grid(height, width).to(stacked.dtype)
        sampled = F.grid_sample(stacked, grid, mode, padding_mode="border", align_corners=True)
        return sampled.view_as(images)

    def intrinsics(self, K: Tensor) -> Tensor:
        """``K`` ``(B, 3, 3)`` of the enlarged crops."""
        cropped = K.clone()
        cropped[:, :2, 2] -= self.origin
        cropped[:, :2] /= self.step[:, :, None]
        return cropped

    def points(self, pixels: Tensor) -> Tensor:
        """Where ``pixels`` ``(B, ..., 2)``, x first, are in the enlarged crops, or beside them."""
        shape = (-1,) + (1,) * (pixels.dim() - 2) + (2,)
        return (pixels - self.origin.view(shape)) / self.step.view(shape)

    def _grid(self, height: int, width: int) -> Tensor:
        axes = [
            (self.origin[:, i, None] + self.step[:, i, None] * torch.arange(n).to(self.step))
            * (2.0 / (n - 1))
            - 1.0
            for i, n in enumerate((width, height))
        ]
        x = axes[0][:, None, :].expand(-1, height, -1)
        y = axes[1][:, :, None].expand(-1, -1, width)
        return torch.stack([x, y], -1)
