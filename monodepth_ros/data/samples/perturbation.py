"""What makes an image hard for a pupil, while its teacher's labels are of the image as it was.

Yang et al., "Depth Anything: unleashing the power of large-scale unlabeled data", CVPR 2024; the
pasted rectangle is CutMix (Yun et al., ICCV 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.data.samples.augmentation import drawn_jitter, jittered_where


@dataclass(frozen=True)
class Perturbation:
    """Strong colour jitter, blur, and a rectangle of another image of the batch.

    ``jitter``, ``blur`` and ``cutmix`` are probabilities. Factors of brightness, contrast and
    saturation are of U(1 - x, 1 + x), hue turns of U(-hue, hue), and deviations of the Gaussian
    blur of U(0.1, ``blur_sigma``) pixels. The rectangle's share of the image is of U(0, 1) and its
    sides are as those of the image, before what leaves the image is cut off.
    """

    jitter: float = 0.8
    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.25
    blur: float = 0.5
    blur_sigma: float = 2.0
    cutmix: float = 0.5

    def __call__(
        self, batch: dict[str, Tensor], generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """The entries to add to an augmented batch; ``generator`` lives on the CPU.

        ``perturbed`` ``(B, 3, H, W)`` is the target as the pupil sees it: where ``pasted``, bool
        ``(B, 1, H, W)``, it shows the sample ``partner``, ``(B,)``.
        """
        target = batch["images"][:, 0]
        count, device = len(target), target.device
        changed = self._blurred(self._jittered(target, generator), generator)
        partner = torch.randperm(count, generator=generator).to(device)
        pasted = self._rectangles(count, target.shape[-2:], generator).to(device)
        return {
            "perturbed": torch.where(pasted, changed[partner], changed),
            "pasted": pasted,
            "partner": partner,
        }

    def _jittered(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        count = len(images)
        chosen = torch.rand(count, generator=generator) < self.jitter
        spread = (self.brightness, self.contrast, self.saturation, self.hue)
        return jittered_where(chosen, images, *drawn_jitter(count, spread, generator))

    def _blurred(self, images: Tensor, generator: torch.Generator | None) -> Tensor:
        count = len(images)
        chosen = torch.rand(count, generator=generator) < self.blur
        sigmas = 0.1 + (self.blur_sigma - 0.1) * torch.rand(count, generator=generator)
        blurred = [
            gaussian_blur(image[None], sigma)[0] if on else image
            for image, on, sigma in zip(images, chosen.tolist(), sigmas.tolist(), strict=True)
        ]
        return torch.stack(blurred)

    def _rectangles(
        self, count: int, size: tuple[int, ...], generator: torch.Generator | None
    ) -> Tensor:
        chosen = torch.rand(count, 1, generator=generator) < self.cutmix
        half = torch.rand(count, 1, generator=generator).sqrt() / 2
        centre = torch.rand(count, 2, generator=generator)
        inside = []
        for axis, pixels in enumerate(size[-2:]):
            place = (torch.arange(pixels) + 0.5) / pixels
            inside.append(((place - centre[:, axis : axis + 1]).abs() < half) & chosen)
        return inside[0][:, None, :, None] & inside[1][:, None, None, :]


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """``images`` ``(B, C, H, W)``, by a kernel of three deviations to each side; edges reflect."""
    reach = min(max(1, round(3 * sigma)), min(images.shape[-2:]) - 1)
    offsets = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    weights = torch.exp(-0.5 * (offsets / sigma).square())
    weights = weights / weights.sum()
    channels = images.shape[1]
    padded = F.pad(images, (reach,) * 4, mode="reflect")
    for kernel in (weights.view(1, 1, 1, -1), weights.view(1, 1, -1, 1)):
        padded = F.conv2d(padded, kernel.expand(channels, -1, -1, -1), groups=channels)
    return padded
