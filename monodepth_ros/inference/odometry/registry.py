"""The methods of motion by name."""

from __future__ import annotations

import os
from importlib import import_module

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.odometry.motion import MotionMethod

# Name: module and class, imported when the method is asked for.
METHODS: dict[str, str] = {
    "geometry": "monodepth_ros.inference.odometry.geometry:GeometricMotion",
    "refined": "monodepth_ros.inference.odometry.refined:RefinedMotion",
    "network": "monodepth_ros.inference.odometry.network:NetworkMotion",
    "auto": "monodepth_ros.inference.odometry.auto:AutoMotion",
}
DEFAULT = "geometry"  # of nodes, commands and `VisualOdometry`


def method_class(name: str) -> type[MotionMethod]:
    """UserError for a name that nobody knows."""
    if name not in METHODS:
        raise UserError(f"method {name!r}: use {', '.join(METHODS)}")
    module, _, attribute = METHODS[name].partition(":")
    found: type[MotionMethod] = getattr(import_module(module), attribute)
    return found


def load_method(
    name: str, model: str | os.PathLike[str] | Engine, device: str = "auto"
) -> MotionMethod:
    """The method ``name`` for one camera, by a model.

    ``model`` is a name in the zoo, the path of a model folder, or a loaded engine; ``device`` is
    that of a model that is not loaded. UserError for a name that nobody knows, and for a model that
    does not suit it.
    """
    kind = method_class(name)
    engine = load_engine(model, device=device)
    if (why := kind.unsuited(engine)) is not None:
        others = [other for other in METHODS if method_class(other).unsuited(engine) is None]
        instead = f"use method {' or '.join(others)}, or a" if others else "choose a"
        raise UserError(f"method {name}: {why}: {instead} model with odometry")
    return kind(engine)
