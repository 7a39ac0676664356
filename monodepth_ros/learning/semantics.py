"""Features of a frozen encoder, whose knowledge of things a depth network should not lose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.errors import UserError

_PREPROCESSOR = "preprocessor_config.json"


class FrozenEncoder:
    """A DINOv2 in a folder as published (``config.json``, ``model.safetensors``): learns nothing.

    M. Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", 2023. Mean and
    deviation of its images are those of ``preprocessor_config.json``.
    """

    def __init__(self, folder: Path) -> None:
        """Load it. UserError where transformers is missing, or the folder holds something else."""
        self._model = _load(folder).eval().requires_grad_(False)
        self.channels: int = self._model.config.hidden_size
        self._patch: int = self._model.config.patch_size
        values = _read(folder / _PREPROCESSOR)
        self._mean, self._std = (
            torch.tensor(values[key])[:, None, None] for key in ("image_mean", "image_std")
        )

    @torch.no_grad()
    def features(self, images: Tensor) -> Tensor:
        """``(B, C, h, w)``, one of each patch, of images ``(B, 3, H, W)`` in [0, 1].

        Images are resized to the next whole numbers of patches.
        """
        self._model.to(images.device)
        rows, columns = (max(1, round(side / self._patch)) for side in images.shape[-2:])
        size = (rows * self._patch, columns * self._patch)
        resized = F.interpolate(images.float(), size, mode="bilinear", antialias=True)
        seen = (resized - self._mean.to(images.device)) / self._std.to(images.device)
        tokens: Tensor = self._model(pixel_values=seen).last_hidden_state
        # Class and register tokens come first.
        return tokens[:, -rows * columns :].transpose(1, 2).unflatten(2, (rows, columns))


def _load(folder: Path) -> Any:
    kind = _read(folder / "config.json").get("model_type")
    if kind != "dinov2":
        raise UserError(f"{folder}: is a {kind}; losses.semantic_preservation needs a dinov2")
    try:
        from transformers import Dinov2Model
    except ImportError:
        raise UserError(
            "losses.semantic_preservation needs transformers: pip install"
            " 'monodepth_ros[foundation]'"
        ) from None
    try:
        return Dinov2Model.from_pretrained(folder, local_files_only=True)
    except Exception as error:
        raise UserError(f"{folder}: cannot be read as a DINOv2 ({error})") from None


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text())
        return content
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file}: cannot be read ({error}); losses.semantic_preservation.encoder is a folder"
            f" with config.json, {_PREPROCESSOR} and model.safetensors, as published"
        ) from None
