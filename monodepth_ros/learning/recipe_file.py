"""Recipes as YAML files: reading, overriding single keys, and errors that name the key."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe import Recipe
from monodepth_ros.share_directory import share_directory


def load_recipe(path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe of a YAML file, after ``overrides`` such as ``optimizer.lr=3e-4``.

    ``path`` is a file, or the name of a recipe that comes with the package. Raises UserError for a
    file that is not there or not YAML, and for a key or value that a recipe does not have.
    """
    file = find_recipe(path)
    try:
        raw = yaml.safe_load(file.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: not a YAML file: {_one_line(error)}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{file}: a recipe is a mapping of sections, got {type(raw).__name__}")
    for override in overrides:
        _set(raw, override)
    return parse_recipe(raw, str(file))


def find_recipe(path: str | Path) -> Path:
    """``path`` itself, or the package's recipe of that name or relative path."""
    shipped = share_directory() / "training"
    candidates = [Path(path), shipped / Path(path).name, shipped / f"{path}.yaml"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    known = ", ".join(sorted(p.stem for p in shipped.glob("*.yaml")))
    raise UserError(f"no recipe {path}: give a YAML file, or one of {known}")


def parse_recipe(raw: dict[str, Any], source: str) -> Recipe:
    """A recipe from nested mappings; ``source`` names them in errors."""
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{source}: {_explain(error)}") from None


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write every key with its value, in the order of the sections."""
    with atomic_path(path) as temporary:
        temporary.write_text(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))


def _set(raw: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    names = key.strip().split(".")
    if not separator or not all(names):
        raise UserError(f"--set {override}: write section.key=value, for example optimizer.lr=3e-4")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override}: the value is not YAML: {_one_line(error)}") from None
    for name in names[:-1]:
        if raw.get(name) is None:
            raw[name] = {}
        raw = raw[name]
        if not isinstance(raw, dict):
            raise UserError(f"--set {override}: {name} holds a value, not a section")
    raw[names[-1]] = value


def _explain(error: ValidationError) -> str:
    """The first mistake: which key, which value, what is allowed."""
    mistake = error.errors()[0]
    names = [str(name) for name in mistake["loc"] if not _is_type_tag(name)]
    key = ".".join(names) or "recipe"
    if mistake["type"] == "extra_forbidden":
        allowed = ", ".join(_section(names[:-1]).model_fields)
        return f"{key}: unknown key (value {mistake['input']!r}); allowed here: {allowed}"
    message = mistake["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    value = "" if isinstance(mistake["input"], (dict, BaseModel)) else f" {mistake['input']!r}"
    return f"{key}:{value} is not allowed: {_one_line(message)}" if value else f"{key}: {message}"


def _is_type_tag(name: int | str) -> bool:
    """Pydantic adds the branch of a union to the location, such as ``literal['motion']``."""
    return isinstance(name, int) or "[" in name or name in ("int", "float", "str")


def _section(names: list[str]) -> type[BaseModel]:
    model: type[BaseModel] = Recipe
    for name in names:
        annotation = model.model_fields[name].annotation
        options = (annotation, *get_args(annotation))
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return model


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
