"""Parts of transformers' networks that are changed so that a trace of them is right.

What they compute for one image stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def change_parts(model: nn.Module) -> None:
    """Change what has to be changed of a network that has its weights, in place."""
    for module in model.modules():
        if hasattr(module, "interpolate_pos_encoding"):
            _remember_positions(module)
    head = getattr(model, "metric_head", None)
    if head is not None and hasattr(head, "mlp_classifier"):
        model.metric_head = _EachDomain(head)


def _remember_positions(module: Any) -> None:
    """Position embeddings follow from the size alone: while nobody trains, they are made once.

    Some are resized with antialiasing, which ONNX does not have.
    """
    make: Callable[[Tensor, Any, Any], Tensor] = module.interpolate_pos_encoding
    kept: dict[tuple[int, int, torch.device], Tensor] = {}

    def remembered(embeddings: Tensor, height: Any, width: Any) -> Tensor:
        if torch.is_grad_enabled() and any(p.requires_grad for p in module.parameters()):
            return make(embeddings, height, width)
        key = (int(height), int(width), embeddings.device)
        if key not in kept:
            if len(kept) > 3:  # sizes of a robot's cameras
                kept.clear()
            kept[key] = make(embeddings, height, width).detach()
        return kept[key].to(embeddings.dtype)

    module.interpolate_pos_encoding = remembered


class _EachDomain(nn.Module):
    """ZoeDepth's heads for indoors and outdoors, chosen for each image by itself.

    As published, the images of a batch vote for one, which a trace would take for a constant.
    """

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.head = head
        self.classifier = head.mlp_classifier
        head.mlp_classifier = self.chosen = _Chosen()

    def forward(self, bottleneck: Tensor, **inputs: Any) -> tuple[Tensor, Tensor]:
        """As of the published heads: depth ``(B, 1, h, w)`` and logits ``(B, 2)``."""
        head = self.head
        logits = self.classifier(head.patch_transformer(head.conv2(bottleneck))[:, 0, :])
        outdoors = logits.argmax(1)[:, None, None, None] == 1
        depths = []
        for domain in (0, 1):
            self.chosen.domain = domain
            depths.append(head(bottleneck=bottleneck, **inputs)[0])
        return torch.where(outdoors, depths[1], depths[0]), logits


class _Chosen(nn.Module):
    """Stands for the classifier: it always finds the domain that is set."""

    domain = 0

    def forward(self, embedding: Tensor) -> Tensor:
        """Logits (1, 2)."""
        return torch.eye(2, device=embedding.device)[self.domain : self.domain + 1]
