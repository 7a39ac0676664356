"""Original checkpoints of Depth Anything V1 and V2, ``.pth``, in the form that transformers has.

Nothing is unpickled. The checkpoint says sizes; which layers the head looks at and what its output
means is not in it: the name of the file says that, or the user.
"""

from __future__ import annotations

import json
import math
import pickle
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.networks.published import CONFIG_FILE, PREPROCESSOR_FILE
from monodepth_ros.zoo.weight_files import PUBLISHED_FILE

PATCH = 14


class Kind(NamedTuple):
    """A family of checkpoints: its version, and metres of the farthest depth where it has some."""

    version: int
    max_depth: int | None


KINDS = {
    "depth-anything-v1": Kind(1, None),
    "depth-anything-v2": Kind(2, None),
    "depth-anything-v2-metric-indoor": Kind(2, 20),
    "depth-anything-v2-metric-outdoor": Kind(2, 80),
}
# As the files are published, the first that fits.
_FILE_NAMES = {
    r"depth_anything_v2_metric_hypersim_": "depth-anything-v2-metric-indoor",
    r"depth_anything_v2_metric_vkitti_": "depth-anything-v2-metric-outdoor",
    r"depth_anything_v2_vit": "depth-anything-v2",
    r"depth_anything_vit": "depth-anything-v1",
}
# Behind which layers of the second version's encoders the head looks; the first's: the last four.
_LAYERS = {12: [3, 6, 9, 12], 24: [5, 12, 18, 24], 40: [10, 20, 30, 40]}
_BLOCK, _LAYER = r"pretrained\.blocks\.(\d+)\.", r"backbone.encoder.layer.\1."
_NAMES = (
    (r"pretrained\.(cls_token|mask_token)", r"backbone.embeddings.\1"),
    (r"pretrained\.pos_embed", "backbone.embeddings.position_embeddings"),
    (r"pretrained\.patch_embed\.proj\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"pretrained\.norm\.", "backbone.layernorm."),
    (_BLOCK + r"ls(\d)\.gamma", _LAYER + r"layer_scale\2.lambda1"),
    (_BLOCK + r"attn\.proj\.", _LAYER + "attention.output.dense."),
    (_BLOCK + r"(norm\d|mlp\.fc\d)\.", _LAYER + r"\2."),
    (r"depth_head\.projects\.(\d)\.", r"neck.reassemble_stage.layers.\1.projection."),
    (r"depth_head\.resize_layers\.(\d)\.", r"neck.reassemble_stage.layers.\1.resize."),
    (r"depth_head\.scratch\.output_conv1\.", "head.conv1."),
    (r"depth_head\.scratch\.output_conv2\.0\.", "head.conv2."),
    (r"depth_head\.scratch\.output_conv2\.2\.", "head.conv3."),
)
_FUSED = re.compile(r"pretrained\.blocks\.(\d+)\.attn\.qkv\.(weight|bias)")
_CONV = re.compile(r"depth_head\.scratch\.layer(\d)_rn\.weight")
_REFINE = re.compile(r"depth_head\.scratch\.refinenet(\d)\.(.+)")
_UNITS = (
    (r"resConfUnit(\d)\.conv(\d)\.", r"residual_layer\1.convolution\2."),
    (r"out_conv\.", "projection."),
)


def convert_depth_anything(source: Path, folder: Path, kind: str | None = None) -> None:
    """Write the three published files of the checkpoint ``source`` into ``folder``.

    ``kind`` is one of ``KINDS``; None: what the file's name says. :class:`UserError` for a file
    that is no checkpoint of this family; nothing is written then.
    """
    family = KINDS[_kind(source, kind)]
    tensors = _published_tensors(source)
    try:
        config = _config(tensors, family)
    except KeyError as error:
        raise UserError(f"{source}: no Depth Anything, it lacks {error.args[0]}") from None
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((CONFIG_FILE, config), (PREPROCESSOR_FILE, _preprocessor())):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(json.dumps(content, indent=2))
    with atomic_path(folder / PUBLISHED_FILE) as temporary:
        save_file(tensors, temporary, {"format": "pt"})


def _kind(source: Path, kind: str | None) -> str:
    said = kind or next((k for name, k in _FILE_NAMES.items() if re.match(name, source.name)), None)
    if said not in KINDS:
        raise UserError(f"{source}: say with --kind what it is, one of {', '.join(KINDS)}")
    return said


def _published_tensors(source: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{source}: not a PyTorch weights file ({reason})") from None
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]  # as a training saves it, beside its optimizer
    if not isinstance(content, dict):
        raise UserError(f"{source}: holds no state dict, but a {type(content).__name__}")
    tensors: dict[str, Tensor] = {}
    for key, value in content.items():
        name = str(key).removeprefix("module.")
        if not isinstance(value, Tensor) or not (found := _renamed(name, value)):
            raise UserError(f"{source}: no Depth Anything, which has no {name}")
        tensors.update({n: v.detach().float().contiguous().clone() for n, v in found.items()})
    return tensors


def _renamed(name: str, value: Tensor) -> dict[str, Tensor]:
    """The tensors that one of the checkpoint becomes; empty for one that is unknown."""
    if match := _FUSED.fullmatch(name):
        parts = zip(("query", "key", "value"), value.chunk(3), strict=True)
        layer = f"backbone.encoder.layer.{match[1]}.attention.attention"
        return {f"{layer}.{part}.{match[2]}": one for part, one in parts}
    if match := _CONV.fullmatch(name):
        return {f"neck.convs.{int(match[1]) - 1}.weight": value}
    if match := _REFINE.fullmatch(name):  # the fourth comes first
        for pattern, published in _UNITS:
            if re.match(pattern, match[2]):
                rest = re.sub(pattern, published, match[2])
                return {f"neck.fusion_stage.layers.{4 - int(match[1])}.{rest}": value}
    for pattern, published in _NAMES:
        if re.match(pattern, name):
            return {re.sub(pattern, published, name): value}
    return {}


def _config(tensors: dict[str, Tensor], family: Kind) -> dict[str, Any]:
    """What the shapes say, in the words of transformers; KeyError for a tensor that is missing."""
    positions = tensors["backbone.embeddings.position_embeddings"]
    channels, side = positions.shape[2], math.isqrt(positions.shape[1] - 1)
    layers = 1 + max(
        (int(name.split(".")[3]) for name in tensors if name.startswith("backbone.encoder.")),
        default=-1,
    )
    last_four = list(range(layers - 3, layers + 1))
    chosen = _LAYERS.get(layers, last_four) if family.version == 2 else last_four
    hidden = tensors["backbone.encoder.layer.0.mlp.fc1.weight"].shape[0]
    return {
        "architectures": ["DepthAnythingForDepthEstimation"],
        "model_type": "depth_anything",
        "backbone_config": {
            "model_type": "dinov2",
            "image_size": side * PATCH,
            "patch_size": PATCH,
            "hidden_size": channels,
            "num_attention_heads": max(channels // 64, 1),
            "num_hidden_layers": layers,
            "mlp_ratio": hidden // channels,
            "out_indices": chosen,
            "apply_layernorm": True,
            "reshape_hidden_states": False,
        },
        "patch_size": PATCH,
        "reassemble_hidden_size": channels,
        "reassemble_factors": [4, 2, 1, 0.5],
        "neck_hidden_sizes": [
            tensors[f"neck.reassemble_stage.layers.{k}.projection.weight"].shape[0]
            for k in range(4)
        ],
        "fusion_hidden_size": tensors["head.conv1.weight"].shape[1],
        "head_hidden_size": tensors["head.conv2.weight"].shape[0],
        "head_in_index": -1,
        "depth_estimation_type": "relative" if family.max_depth is None else "metric",
        "max_depth": family.max_depth or 1,
    }


def _preprocessor() -> dict[str, Any]:
    """As published with all of them."""
    return {
        "image_processor_type": "DPTImageProcessor",
        "do_resize": True,
        "size": {"height": 518, "width": 518},
        "keep_aspect_ratio": True,
        "ensure_multiple_of": PATCH,
        "resample": 3,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "do_pad": False,
    }
