"""What diagnostics say of the model that a node runs."""

from __future__ import annotations

from monodepth_ros.inference.torch_engine import TorchEngine


def engine_facts(engine: TorchEngine) -> dict[str, str]:
    """The model with the first digits of its weights' hash, and what runs it."""
    card = engine.card
    return {
        "model": card.name,
        "model hash": next(iter(card.files.values()), "")[:12],
        "engine": "torch",
        "device": str(engine.device),
        "precision": engine.precision,
    }
