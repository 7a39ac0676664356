"""What transformers itself makes of an image with a published folder, as its users call it.

Three image processors exist for torchvision alone, which is not installed beside the torch of these
tests; ZoeDepth's needs it for what comes out. They are read from their published description here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

Rgb = NDArray[np.uint8]


def published_depth(folder: Path, rgb: Rgb) -> NDArray[np.float32]:
    """``predicted_depth`` (H, W) at the image's size, in the direction and unit of its model."""
    from transformers import AutoModelForDepthEstimation

    model = AutoModelForDepthEstimation.from_pretrained(folder).eval()
    values = _pixel_values(folder, model.config.model_type, rgb)
    with torch.no_grad():
        outputs = model(pixel_values=values)
    found = _post_processed(folder, model.config.model_type, outputs, rgb.shape[:2])
    return np.asarray(found.float().numpy())


def processor_of(folder: Path) -> Any:
    from transformers import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(folder, backend="pil")


def _pixel_values(folder: Path, kind: str, rgb: Rgb) -> Tensor:
    if kind not in ("depth_pro", "tipsv2_dpt", "chmv2"):
        return processor_of(folder)(images=Image.fromarray(rgb), return_tensors="pt")[
            "pixel_values"
        ]
    said = json.loads((folder / "preprocessor_config.json").read_text())
    size = said.get("size", {})
    if kind == "tipsv2_dpt":  # bytes, with antialiasing: torchvision's differ by one grey level
        small = Image.fromarray(rgb).resize((size["width"], size["height"]), 2)
        return torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)[None].float() / 255
    image = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    mean, std = (torch.tensor(said[key])[:, None, None] for key in ("image_mean", "image_std"))
    image = (image.float() / 255 - mean) / std
    if kind == "depth_pro":  # floats, without antialiasing
        return F.interpolate(image, (size["height"], size["width"]), mode="bilinear")
    height, width = rgb.shape[:2]
    more = [-height % said["size_divisor"], -width % said["size_divisor"]]
    (top, left), (bottom, right) = ([m // 2 for m in more], [m - m // 2 for m in more])
    return F.pad(image, (left, right, top, bottom))


def _post_processed(folder: Path, kind: str, outputs: Any, size: tuple[int, int]) -> Tensor:
    depth = outputs.predicted_depth[None]
    if kind == "zoedepth":
        pads = [int(np.sqrt(side / 2) * 3) for side in size]
        whole = [side + 2 * pad for side, pad in zip(size, pads, strict=True)]
        depth = F.interpolate(depth, whole, mode="bicubic", antialias=False)
        return depth[0, 0, pads[0] : -pads[0], pads[1] : -pads[1]]
    if kind == "depth_pro":
        focal = 0.5 * size[1] / torch.tan(0.5 * torch.deg2rad(outputs.field_of_view))
        inverse = F.interpolate(depth * size[1] / focal, size, mode="bilinear")
        return 1 / inverse.clamp(1e-4, 1e4)[0, 0]
    if kind == "tipsv2_dpt":
        return F.interpolate(depth, size, mode="bilinear", align_corners=False)[0, 0]
    if kind == "chmv2":
        return F.interpolate(depth, size, mode="bilinear", align_corners=True)[0, 0]
    return processor_of(folder).post_process_depth_estimation(outputs, [size])[0]["predicted_depth"]
