"""Values in diagnostics about the model and its engine."""

from __future__ import annotations

from monodepth_ros.inference.engines.base import Engine


def engine_facts(engine: Engine) -> dict[str, str]:
    """The model with the first digits of its weights' hash, and the engine."""
    return {"model": engine.card.name, "model hash": _short_hash(engine), **engine.describe()}


def identity(engine: Engine) -> str:
    """Name and hash of a model; each model has its own unit of depth."""
    return f"{engine.card.name} ({_short_hash(engine)})"


def _short_hash(engine: Engine) -> str:
    return "+".join(sha256[:12] for sha256 in engine.card.files.values())
