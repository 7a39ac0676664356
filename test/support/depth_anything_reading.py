"""Depth Anything as its papers and its config describe it, in plain torch and double precision.

A reading of its own, of the published tensors: DINOv2 (Oquab et al. 2023), the head of DPT (Ranftl
et al. 2021), and the changes of Depth Anything (Yang et al. 2024).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

PATCH = 14
EPSILON = 1e-6


class Reading:
    """The network of ``tensors`` by their published names, and of what ``config.json`` says."""

    def __init__(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> None:
        self.tensors = {name: value.double() for name, value in tensors.items()}
        self.config, self.backbone = config, config["backbone_config"]

    def __call__(self, image: Tensor) -> Tensor:
        """``(1, 3, H, W)``, normalised, to ``(H, W)``: what the head gives."""
        height, width = image.shape[-2:]
        grid = (height // PATCH, width // PATCH)
        levels = [
            self.reassembled(k, tokens, grid) for k, tokens in enumerate(self.features(image))
        ]
        x = self.fused(levels)
        x = self.convolved("head.conv1", x, padding=1)
        x = F.interpolate(x, (height, width), mode="bilinear", align_corners=True)
        x = F.relu(self.convolved("head.conv2", x, padding=1))
        x = self.convolved("head.conv3", x)
        if self.config["depth_estimation_type"] == "metric":
            return torch.sigmoid(x)[0, 0] * self.config["max_depth"]
        return F.relu(x)[0, 0]

    def features(self, image: Tensor) -> list[Tensor]:
        """Tokens (patches + 1, channels) behind the layers that the config names, normalised."""
        patches = self.convolved(
            "backbone.embeddings.patch_embeddings.projection", image, stride=PATCH
        )
        x = patches[0].flatten(1).T
        first = self.tensors["backbone.embeddings.cls_token"][0]
        x = torch.cat([first, x]) + self.positions(patches.shape[-2:])
        kept = []
        for number in range(self.backbone["num_hidden_layers"]):
            layer = f"backbone.encoder.layer.{number}"
            for half, work in enumerate((self.attended, self.perceived), 1):
                more = work(layer, self.normalised(f"{layer}.norm{half}", x))
                x = x + self.tensors[f"{layer}.layer_scale{half}.lambda1"] * more
            if number + 1 in self.backbone["out_indices"]:
                kept.append(self.normalised("backbone.layernorm", x))
        return kept

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """Learnt for a square of patches, brought to the grid of the image."""
        learnt = self.tensors["backbone.embeddings.position_embeddings"][0]
        side = math.isqrt(len(learnt) - 1)
        square = learnt[1:].T.reshape(1, -1, side, side)
        resized = F.interpolate(square, tuple(grid), mode="bicubic", align_corners=False)
        return torch.cat([learnt[:1], resized[0].flatten(1).T])

    def attended(self, layer: str, x: Tensor) -> Tensor:
        heads = self.backbone["num_attention_heads"]
        query, key, value = (
            self.linear(f"{layer}.attention.attention.{part}", x)
            .reshape(len(x), heads, -1)
            .transpose(0, 1)
            for part in ("query", "key", "value")
        )
        weights = torch.softmax(query @ key.transpose(1, 2) / math.sqrt(query.shape[-1]), -1)
        return self.linear(
            f"{layer}.attention.output.dense", (weights @ value).transpose(0, 1).flatten(1)
        )

    def perceived(self, layer: str, x: Tensor) -> Tensor:
        x = self.linear(f"{layer}.mlp.fc1", x)
        x = x * (1 + torch.erf(x / math.sqrt(2))) / 2  # GELU
        return self.linear(f"{layer}.mlp.fc2", x)

    def reassembled(self, level: int, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Four maps, at 4, 2, 1 and half of the patches' resolution, of ``fusion_hidden_size``."""
        stage = f"neck.reassemble_stage.layers.{level}"
        x = tokens[1:].T.reshape(1, -1, *grid)
        x = self.convolved(f"{stage}.projection", x)
        factor = (4, 2, 1, 0.5)[level]
        if factor > 1:
            weight, bias = (self.tensors[f"{stage}.resize.{kind}"] for kind in ("weight", "bias"))
            x = F.conv_transpose2d(x, weight, bias, stride=int(factor))
        elif factor < 1:
            x = self.convolved(f"{stage}.resize", x, stride=2, padding=1)
        return self.convolved(f"neck.convs.{level}", x, padding=1)

    def fused(self, levels: list[Tensor]) -> Tensor:
        """RefineNet's way up, from the coarsest map to twice the finest."""
        x = None
        for number, level in enumerate(reversed(levels)):
            layer = f"neck.fusion_stage.layers.{number}"
            x = level if x is None else x + self.unit(f"{layer}.residual_layer1", level)
            x = self.unit(f"{layer}.residual_layer2", x)
            finer = levels[-number - 2].shape[-2:] if number + 1 < len(levels) else None
            size = finer or (2 * x.shape[-2], 2 * x.shape[-1])
            x = F.interpolate(x, tuple(size), mode="bilinear", align_corners=True)
            x = self.convolved(f"{layer}.projection", x)
        assert x is not None
        return x

    def unit(self, name: str, x: Tensor) -> Tensor:
        inner = self.convolved(f"{name}.convolution1", F.relu(x), padding=1)
        return x + self.convolved(f"{name}.convolution2", F.relu(inner), padding=1)

    def convolved(self, name: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        bias = self.tensors.get(f"{name}.bias")
        return F.conv2d(x, self.tensors[f"{name}.weight"], bias, stride, padding)

    def linear(self, name: str, x: Tensor) -> Tensor:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def normalised(self, name: str, x: Tensor) -> Tensor:
        mean, spread = x.mean(-1, keepdim=True), x.var(-1, unbiased=False, keepdim=True)
        x = (x - mean) / torch.sqrt(spread + EPSILON)
        return x * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]
