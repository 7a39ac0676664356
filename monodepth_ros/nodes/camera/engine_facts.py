"""What diagnostics say of the model that a node runs."""

from __future__ import annotations

import torch

from monodepth_ros.inference.engines.torch import TorchEngine


def engine_facts(engine: TorchEngine) -> dict[str, str]:
    """The model with the first digits of its weights' hash, and what runs it."""
    return {
        "model": engine.card.name,
        "model hash": _digits(engine),
        "engine": "torch",
        "device": str(engine.device),
        "precision": engine.precision,
        "threads": str(torch.get_num_threads()),
    }


def identity(engine: TorchEngine) -> str:
    """Name and hash: another one is another model, with a unit of its own."""
    return f"{engine.card.name} ({_digits(engine)})"


def _digits(engine: TorchEngine) -> str:
    return "+".join(sha256[:12] for sha256 in engine.card.files.values())
