"""Recipes small enough for tests."""

from typing import Any

from monodepth_ros.learning.recipe.file import parse_recipe
from monodepth_ros.learning.recipe.recipe import Recipe

SMALL: dict[str, Any] = {
    "data": {"size": "64x32"},
    "networks": {"architecture": "monodepth2-slim", "min_depth": 0.5, "max_depth": 20.0},
    "schedule": {"epochs": 1000},
    "trainer": {"batch_size": 2, "max_steps": 4, "log_every": 1, "pictures_every": 0},
}
# Of `losses`.
SELF_SUPERVISED: dict[str, Any] = {"photometric": {}, "smoothness": {}}
SUPERVISED: dict[str, Any] = {"supervised": {}}
BOTH: dict[str, Any] = {**SELF_SUPERVISED, **SUPERVISED}
POSE_SUPERVISED: dict[str, Any] = {"pose": {}}


def small_recipe(**sections: Any) -> Recipe:
    """SMALL with the keys of ``sections`` on top."""
    raw = {name: {**SMALL.get(name, {}), **sections.get(name, {})} for name in SMALL | sections}
    return parse_recipe(raw, "test")
