"""Monodepth2's augmentation, and random crops, for whole batches on the training device.

The reference jitters 8-bit images one by one with Pillow; here the same operations run in float on
the batch, so values differ from it by Pillow's rounding alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from monodepth_ros.data.samples.random_crop import Crops

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow's grey


# The entries of a batch by how they follow a crop and a flip.
IMAGES, MAPS = ("images", "stereo"), ("depth", "pseudo_inverse_depth", "reflective", "valid")
INTRINSICS, POINTS = ("K", "K_stereo"), ("matches",)
MOTIONS = ("T_neighbour_target", "T_stereo_target", "T_matches")


def as_float(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same with images in [0, 1] for those of 8 bits."""
    return {
        name: value.to(torch.float32).div_(255.0) if name in IMAGES else value
        for name, value in batch.items()
    }


@dataclass(frozen=True)
class Augmentation:
    """Crop, horizontal flip and colour jitter, drawn once for each sample and shared by its frames.

    ``flip`` and ``jitter`` are probabilities. A jittered sample gets brightness, contrast and
    saturation factors from U(1 - x, 1 + x) and a hue shift from U(-hue, hue) turns, applied in a
    random order. (0, 0) leaves images as they are, for validation. ``crop`` below 1 enlarges a
    random part, of at least that share of each side, changing its aspect by at most ``aspect``.
    """

    flip: float = 0.5
    jitter: float = 0.5
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.1
    crop: float = 1.0
    aspect: float = 0.0

    def __call__(
        self, batch: dict[str, Tensor], generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Augment a collated batch of :class:`~monodepth_ros.data.samples.triplets.CachedDataset`.

        ``images`` uint8 BxFx3xHxW (on any device) become float in [0, 1], flipped but with clean
        colours, for the losses, and ``stereo`` with them; ``jittered``, of the same shape, goes
        into the networks. Intrinsics, ``depth``, masks and pixels of ``matches`` follow the crop
        and the flip, motions the flip. Other entries are passed on. ``generator`` lives on the CPU,
        so that a run draws the same on every device.
        """
        count, device = len(batch["images"]), batch["images"].device
        flipped = torch.rand(count, generator=generator) < self.flip
        jittered = torch.rand(count, generator=generator) < self.jitter
        spread = (self.brightness, self.contrast, self.saturation, self.hue)
        factors, order = drawn_jitter(count, spread, generator)

        result, on_device = self._cropped(as_float(batch), generator), flipped.to(device)
        width = batch["images"].shape[-1]
        for name, value in result.items():
            if name in (*IMAGES, *MAPS):
                result[name] = mirror(value, on_device)
            elif name in INTRINSICS:
                result[name] = mirror_intrinsics(value, on_device, width)
            elif name in POINTS:
                result[name] = mirror_points(value, on_device, width)
            elif name in MOTIONS:
                result[name] = mirror_motions(value, on_device)
        images = result["images"]
        result["jittered"] = jittered_where(jittered, images, factors, order)
        return result

    def _cropped(
        self, batch: dict[str, Tensor], generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        if self.crop >= 1.0:
            return batch
        images = batch["images"]
        count, (height, width) = len(images), images.shape[-2:]
        crops = Crops.draw(count, height, width, self.crop, self.aspect, generator)
        crops = crops.to(images.device)
        result = dict(batch)
        for name, value in batch.items():
            if name in IMAGES:
                result[name] = crops.images(value)
            elif name in INTRINSICS:
                result[name] = crops.intrinsics(value)
            elif name in POINTS:
                result[name] = crops.points(value)
            elif name in ("depth", "pseudo_inverse_depth"):
                result[name] = crops.images(value, "nearest")
            elif name == "reflective":
                result[name] = crops.images(value.float(), "nearest") == 1
            elif name == "valid":  # images are mixed of up to four pixels: all must be valid
                result[name] = crops.images((~value).float()) == 0
        return result


def mirror(images: Tensor, flipped: Tensor) -> Tensor:
    """``images`` Bx...xW with the samples of ``flipped`` (bool B) mirrored left to right."""
    shape = (-1,) + (1,) * (images.dim() - 1)
    return torch.where(flipped.reshape(shape), images.flip(-1), images)


def mirror_intrinsics(K: Tensor, flipped: Tensor, width: int) -> Tensor:
    """``K`` Bx3x3 of the mirrored images: cx -> width - 1 - cx, and skew changes its sign."""
    mirrored = K.clone()
    mirrored[:, 0, 1] = -K[:, 0, 1]
    mirrored[:, 0, 2] = (width - 1) - K[:, 0, 2]
    return torch.where(flipped[:, None, None], mirrored, K)


def mirror_points(pixels: Tensor, flipped: Tensor, width: int) -> Tensor:
    """``pixels`` Bx...x2, x first, in the mirrored images: x -> width - 1 - x."""
    shape = (-1,) + (1,) * (pixels.dim() - 1)
    mirrored = torch.stack([(width - 1) - pixels[..., 0], pixels[..., 1]], -1)
    return torch.where(flipped.reshape(shape), mirrored, pixels)


def mirror_motions(T: Tensor, flipped: Tensor) -> Tensor:
    """Transforms ``T`` BxNx4x4 between cameras whose images are mirrored: x changes its sign."""
    sign = T.new_tensor([-1.0, 1.0, 1.0, 1.0])
    return torch.where(flipped[:, None, None, None], sign[:, None] * T * sign, T)


def drawn_jitter(
    count: int, spread: tuple[float, ...], generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Factors and order of the operations, both Bx4; drawn for all samples alike.

    ``spread`` is how far brightness, contrast, saturation and hue go to either side.
    """
    centre = torch.tensor([1.0, 1.0, 1.0, 0.0])
    uniform = torch.rand(count, len(_OPERATIONS), generator=generator)
    order = torch.rand(count, len(_OPERATIONS), generator=generator).argsort(dim=1)
    return centre + (2.0 * uniform - 1.0) * torch.tensor(spread), order


def jittered_where(chosen: Tensor, images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """``images`` of which the ``chosen`` (bool B, on the CPU) are jittered; see `jitter`."""
    if not chosen.any():
        return images
    rows = chosen.nonzero()[:, 0]
    here = rows.to(images.device)
    return images.index_copy(0, here, jitter(images[here], factors[rows], order[rows]))


def jitter(images: Tensor, factors: Tensor, order: Tensor) -> Tensor:
    """Colour-jitter ``images`` (BxFx3xHxW in [0, 1]) as Pillow and torchvision define it.

    ``factors`` Bx4 (brightness, contrast, saturation, hue in turns) and ``order`` Bx4 (which
    operation comes 1st, 2nd, ...) are on the CPU.
    """
    samples = []
    for sample, values, operations in zip(images, factors.tolist(), order.tolist(), strict=True):
        for operation in operations:
            sample = _OPERATIONS[operation](sample, values[operation])
        samples.append(sample)
    return torch.stack(samples)


def adjust_brightness(images: Tensor, factor: float) -> Tensor:
    """Blend with black; ``images`` ...x3xHxW in [0, 1]."""
    return (images * factor).clamp_(0.0, 1.0)


def adjust_contrast(images: Tensor, factor: float) -> Tensor:
    """Blend with the mean grey of each image."""
    mean = grey(images).mean(dim=(-2, -1), keepdim=True)
    return (images * factor).add_(mean * (1.0 - factor)).clamp_(0.0, 1.0)


def adjust_saturation(images: Tensor, factor: float) -> Tensor:
    """Blend with each pixel's grey."""
    return (images * factor).add_(grey(images) * (1.0 - factor)).clamp_(0.0, 1.0)


def adjust_hue(images: Tensor, turns: float) -> Tensor:
    """Add ``turns`` to the hue of HSV; value and saturation stay."""
    red, green, blue = images.unbind(dim=-3)
    value = images.amax(dim=-3)
    lowest = images.amin(dim=-3)
    chroma = value - lowest
    inverse = chroma.clamp_min(1e-12).reciprocal_()  # grey pixels stay, whatever their hue
    # Hue in sixths of a turn: red 0, green 2, blue 4.
    hue = torch.where(
        value == red,
        (green - blue).mul_(inverse),
        torch.where(
            value == green,
            (blue - red).mul_(inverse).add_(2.0),
            (red - green).mul_(inverse).add_(4.0),
        ),
    )
    hue.add_(6.0 * turns).remainder_(6.0)
    # The share of the chroma in each channel is a trapezoid over the colour circle.
    shares = (
        (hue - 3.0).abs_().sub_(1.0),
        (hue - 2.0).abs_().neg_().add_(2.0),
        (hue - 4.0).abs_().neg_().add_(2.0),
    )
    channels = [torch.addcmul(lowest, chroma, share.clamp_(0.0, 1.0)) for share in shares]
    return torch.stack(channels, dim=-3)


def grey(images: Tensor) -> Tensor:
    """Luma of ``images`` ...x3xHxW, as ...x1xHxW."""
    red, green, blue = images.unbind(dim=-3)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).unsqueeze(-3)


_OPERATIONS = (adjust_brightness, adjust_contrast, adjust_saturation, adjust_hue)
