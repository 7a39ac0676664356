"""Values in diagnostics about the model and its engine."""

from __future__ import annotations

import torch

from monodepth_ros.inference.engines.torch import TorchEngine


def engine_facts(engine: TorchEngine) -> dict[str, str]:
    """The model with the first digits of its weights' hash, and the engine."""
    return {
        "model": engine.card.name,
        "model hash": _short_hash(engine),
        "engine": "torch",
        "device": str(engine.device),
        "precision": engine.precision,
        "threads": str(torch.get_num_threads()),
    }


def identity(engine: TorchEngine) -> str:
    """Name and hash of a model; each model has its own unit of depth."""
    return f"{engine.card.name} ({_short_hash(engine)})"


def _short_hash(engine: TorchEngine) -> str:
    return "+".join(sha256[:12] for sha256 in engine.card.files.values())
