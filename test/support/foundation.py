"""Tiny random models of each published type, as folders with the three published files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_DINOV2: dict[str, Any] = {
    "model_type": "dinov2",
    "image_size": 70,
    "hidden_size": 24,
    "num_attention_heads": 2,
    "num_hidden_layers": 4,
    "out_indices": [1, 2, 3, 4],
    "reshape_hidden_states": False,
    "apply_layernorm": True,
}
_NECK: dict[str, Any] = {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 8}
_DEPTH_ANYTHING: dict[str, Any] = {
    "model_type": "depth_anything",
    "backbone_config": _DINOV2,
    "reassemble_hidden_size": 24,
    "head_hidden_size": 8,
    **_NECK,
}
_BEIT: dict[str, Any] = {
    "model_type": "beit",
    "image_size": 64,
    "patch_size": 16,
    "hidden_size": 24,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_hidden_layers": 4,
    "use_relative_position_bias": True,
    "reshape_hidden_states": False,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
}
_ZOE: dict[str, Any] = {
    "model_type": "zoedepth",
    "backbone_config": _BEIT,
    "bottleneck_features": 8,
    "num_relative_features": 8,
    "bin_embedding_dim": 8,
    "num_attractors": [4, 2, 2, 1],
    "attractor_alpha": 300,
    **_NECK,
}
_VIT16: dict[str, Any] = {**_DINOV2, "image_size": 32, "patch_size": 16}
CONFIGS: dict[str, dict[str, Any]] = {
    "depth_anything": {**_DEPTH_ANYTHING, "depth_estimation_type": "relative", "max_depth": 1},
    "depth_anything_metric": {
        **_DEPTH_ANYTHING,
        "depth_estimation_type": "metric",
        "max_depth": 20,
    },
    "prompt_depth_anything": {
        **_DEPTH_ANYTHING,
        "model_type": "prompt_depth_anything",
        "depth_estimation_type": "metric",
        "max_depth": None,
    },
    "dpt": {
        "model_type": "dpt",
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_attention_heads": 2,
        "num_hidden_layers": 4,
        "backbone_out_indices": [0, 1, 2, 3],
        "image_size": 64,
        **_NECK,
    },
    "dpt_dinov2": {
        "model_type": "dpt",
        "backbone_config": _DINOV2,
        "use_bias_in_fusion_residual": False,
        "patch_size": 14,
        "hidden_size": 24,
        "readout_type": "ignore",
        **_NECK,
    },
    "glpn": {
        "model_type": "glpn",
        "depths": [1, 1, 1, 1],
        "hidden_sizes": [8, 16, 24, 32],
        "num_attention_heads": [1, 1, 2, 2],
        "decoder_hidden_size": 8,
        "max_depth": 10,
    },
    "zoedepth": {
        **_ZOE,
        "bin_configurations": [{"n_bins": 16, "min_depth": 0.001, "max_depth": 10.0}],
    },
    "zoedepth_two_domains": {
        **_ZOE,
        "bin_configurations": [
            {"name": "nyu", "n_bins": 16, "min_depth": 0.001, "max_depth": 10.0},
            {"name": "kitti", "n_bins": 16, "min_depth": 0.001, "max_depth": 80.0},
        ],
        "num_patch_transformer_layers": 4,
        "patch_transformer_hidden_size": 128,
        "patch_transformer_intermediate_size": 32,
        "patch_transformer_num_attention_heads": 2,
    },
    "depth_pro": {
        "model_type": "depth_pro",
        "patch_size": 32,
        "fusion_hidden_size": 16,
        "intermediate_hook_ids": [3, 1],
        "intermediate_feature_dims": [16, 16],
        "scaled_images_feature_dims": [24, 24, 16],
        "merge_padding_value": 1,
        "num_fov_head_layers": 1,
        "use_fov_model": True,
        **{f"{part}_model_config": _VIT16 for part in ("image", "patch", "fov")},
    },
    "tipsv2_dpt": {
        "model_type": "tipsv2_dpt",
        "backbone_config": {
            "model_type": "tipsv2_vision_model",
            "image_size": 56,
            "patch_size": 14,
            "hidden_size": 24,
            "intermediate_size": 48,
            "num_attention_heads": 2,
            "num_hidden_layers": 4,
            "out_indices": [1, 2, 3, 4],
            "apply_layernorm": True,
            "reshape_hidden_states": False,
        },
        "num_depth_bins": 16,
        **_NECK,
    },
    "chmv2": {
        "model_type": "chmv2",
        "backbone_config": {
            "model_type": "dinov3_vit",
            "image_size": 64,
            "patch_size": 16,
            "hidden_size": 24,
            "intermediate_size": 48,
            "num_attention_heads": 2,
            "num_hidden_layers": 4,
            "num_register_tokens": 2,
            "out_indices": [1, 2, 3, 4],
            "reshape_hidden_states": True,
            "apply_layernorm": True,
            "return_class_token": True,
        },
        "post_process_channels": [8, 8, 16, 16],
        "fusion_hidden_size": 8,
        "head_hidden_size": 8,
        "number_output_channels": 16,
    },
}
_DEPTH_ANYTHING_IMAGES: dict[str, Any] = {
    "do_normalize": True,
    "do_pad": False,
    "do_rescale": True,
    "do_resize": True,
    "ensure_multiple_of": 14,
    **IMAGENET,
    "image_processor_type": "DPTImageProcessor",
    "keep_aspect_ratio": True,
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 70, "width": 70},
    "size_divisor": None,
}
_ZOE_IMAGES: dict[str, Any] = {
    "do_normalize": True,
    "do_pad": True,
    "do_rescale": True,
    "do_resize": True,
    "ensure_multiple_of": 32,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "image_processor_type": "ZoeDepthImageProcessor",
    "keep_aspect_ratio": True,
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 96, "width": 128},
}
PREPROCESSORS: dict[str, dict[str, Any]] = {
    "depth_anything": _DEPTH_ANYTHING_IMAGES,
    "depth_anything_metric": _DEPTH_ANYTHING_IMAGES,
    "prompt_depth_anything": {
        **_DEPTH_ANYTHING_IMAGES,
        "image_processor_type": "PromptDepthAnythingImageProcessor",
        "prompt_scale_to_meter": 0.001,
    },
    # As in the files of Intel's models, which are older than the names of today.
    "dpt": {
        "do_normalize": True,
        "do_resize": True,
        "ensure_multiple_of": 32,
        "feature_extractor_type": "DPTFeatureExtractor",
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "keep_aspect_ratio": False,
        "resample": 2,
        "size": 64,
    },
    "dpt_dinov2": {
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": False,
        "do_resize": False,
        "image_mean": [123.675, 116.28, 103.53],
        "image_std": [58.395, 57.12, 57.375],
        "image_processor_type": "DPTImageProcessor",
        "size_divisor": 14,
    },
    "glpn": {
        "do_rescale": True,
        "do_resize": True,
        "feature_extractor_type": "GLPNFeatureExtractor",
        "resample": 2,
        "size_divisor": 32,
    },
    "zoedepth": _ZOE_IMAGES,
    "zoedepth_two_domains": _ZOE_IMAGES,
    "depth_pro": {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "image_processor_type": "DepthProImageProcessorFast",
        "resample": 2,
        "rescale_factor": 0.00392156862745098,
        "size": {"height": 128, "width": 128},
    },
    "tipsv2_dpt": {
        "do_convert_rgb": True,
        "do_normalize": False,
        "do_rescale": True,
        "do_resize": True,
        "image_processor_type": "Tipsv2DptImageProcessor",
        "resample": 2,
        "rescale_factor": 0.00392156862745098,
        "size": {"height": 56, "width": 56},
    },
    "chmv2": {
        "do_normalize": True,
        "do_pad": True,
        "do_rescale": True,
        "do_resize": False,
        "ensure_multiple_of": 16,
        "image_mean": [0.42, 0.411, 0.296],
        "image_std": [0.213, 0.156, 0.143],
        "image_processor_type": "CHMv2ImageProcessor",
        "keep_aspect_ratio": True,
        "resample": 3,
        "size_divisor": 16,
    },
}


def tiny_published(type: str, folder: Path, seed: int = 0) -> Path:
    """Write a random model of a type of ``CONFIGS`` as it would be published; below 5 MB.

    Depth varies with the image, and is above 0. Tests that call it need transformers.
    """
    transformers = pytest.importorskip("transformers", reason="install the extra [foundation]")
    config = dict(CONFIGS[type])
    built = transformers.CONFIG_MAPPING[config["model_type"]].from_dict(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = transformers.AutoModelForDepthEstimation.from_config(built).eval()
        _make_lively(network)
    folder.mkdir(parents=True, exist_ok=True)
    network.save_pretrained(folder)
    preprocessor = json.dumps(PREPROCESSORS[type], indent=2)
    (folder / "preprocessor_config.json").write_text(preprocessor)
    return folder


@torch.no_grad()
def _make_lively(network: torch.nn.Module) -> None:
    """transformers begins with weights so small that every image looks alike."""
    for name, value in network.named_parameters():
        if value.ndim > 1:
            torch.nn.init.normal_(value, std=(1.5 / value[0].numel()) ** 0.5)
        elif name.endswith("bias"):
            torch.nn.init.normal_(value, std=0.1)
    # The ReLU at the end of most would cut off half. DepthPro's view is in degrees.
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d) and module.out_channels == 1:
            module.weight *= 0.1 if network.config.model_type != "glpn" else 1.0
            module.bias.fill_(60.0 if name.startswith("fov_model") else 2.0)
