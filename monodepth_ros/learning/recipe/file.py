"""Recipes as YAML files: reading, overriding single keys, and errors that name the key."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.learning.losses.registry import LOSSES
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.share_directory import share_directory
from monodepth_ros.yaml_file import parse_yaml, read_mapping


def load_recipe(path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe of a YAML file, after ``overrides`` such as ``optimizer.lr=3e-4``.

    ``path`` is a file, or the name of a recipe that comes with the package. Under ``extends`` it
    may name another, whose keys it inherits. Without any ``losses`` they are Monodepth2's. Raises
    UserError for a file that is not there or not YAML, and for a key or value that a recipe does
    not have.
    """
    file = find_recipe(path)
    raw = {"losses": {name: {} for name in Recipe().losses}, **_inherited(file)}
    for override in overrides:
        _set(raw, override)
    return parse_recipe(raw, str(file))


def _inherited(file: Path, heirs: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The keys of a file, added to those of the one that it extends; ``heirs`` extend it."""
    if file.resolve() in heirs:
        raise UserError(f"{file}: extends itself, by way of {heirs[-1]}")
    raw = read_mapping(file, "a recipe")
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    if not isinstance(parent, str):
        raise UserError(
            f"{file}: extends: {_describe(parent)} is not allowed: give a recipe's file or name"
        )
    try:
        # A bare name is a recipe of the package; a path begins where this file is.
        found = find_recipe(parent if Path(parent).stem == parent else file.parent / parent)
    except UserError as error:
        raise UserError(f"{file}: extends: {error}") from None
    return _merged(_inherited(found, (*heirs, file.resolve())), raw)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Sections key by key; every other value of ``changes`` takes the place of the former one."""
    result = dict(base)
    for key, value in changes.items():
        former = result.get(key)
        if isinstance(value, dict) and isinstance(former, dict):
            value = _merged(former, value)
        result[key] = value
    return result


def find_recipe(path: str | Path) -> Path:
    """``path`` itself, or the package's recipe of that name.

    A path, which has a separator or a suffix, is that file and no other: UserError where there is
    none.
    """
    file, shipped = Path(path), share_directory() / "training"
    if file.is_file():
        return file
    names = sorted(recipe.stem for recipe in shipped.glob("*.yaml"))
    if file.name == str(path) and not file.suffix:
        if str(path) in names:
            return shipped / f"{path}.yaml"
        raise UserError(f"no recipe {path}: give a YAML file, or one of {', '.join(names)}")
    here = file.parent.glob("*.yaml") if file.parent.is_dir() else ()
    near = get_close_matches(str(file), [str(other) for other in here], cutoff=0.7)
    near += [f"{name} (comes with the package)" for name in get_close_matches(file.stem, names)]
    hint = f"did you mean {' or '.join(near)}?" if near else "give a YAML file, or a recipe's name"
    raise UserError(f"no recipe {path}: there is no such file; {hint}")


def parse_recipe(raw: dict[str, Any], source: str) -> Recipe:
    """A recipe from nested mappings; ``source`` names them in errors."""
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{source}: {_explain(error)}") from None


def recipe_as_yaml(recipe: Recipe) -> str:
    """Every key with its value, in the order of the sections; it loads to the same recipe."""
    text: str = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)
    return text


def save_recipe(recipe: Recipe, path: Path) -> None:
    """Write `recipe_as_yaml`."""
    with atomic_path(path) as temporary:
        temporary.write_text(recipe_as_yaml(recipe))


def _set(raw: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    names = key.strip().split(".")
    if not separator or not all(names):
        raise UserError(f"--set {override}: write section.key=value, for example optimizer.lr=3e-4")
    value = _value(text.strip(), f"--set {override}")
    for name in names[:-1]:
        if raw.get(name) is None:
            raw[name] = {}
        raw = raw[name]
        if not isinstance(raw, dict):
            raise UserError(f"--set {override}: {name} holds a value, not a section")
    raw[names[-1]] = value


def _value(text: str, source: str) -> Any:
    """A number, switch or null, a list or section in brackets, and else the text, as it is."""
    bracketed = text[:1] in ("[", "{", '"', "'")
    if not bracketed and ("#" in text or ":" in text):
        return text  # a path, for example: no comment, section or time begins in it
    try:
        value = parse_yaml(text, source)
    except UserError:
        if bracketed:
            raise
        return text
    plain = value is None or isinstance(value, (bool, int, float))
    return value if plain or bracketed else text


def _explain(error: ValidationError) -> str:
    """The first mistake: which key, which value, what is allowed."""
    mistake = error.errors()[0]
    names = [str(name) for name in mistake["loc"] if not _is_type_tag(name)]
    key = ".".join(names) or "recipe"
    if mistake["type"] == "extra_forbidden":
        allowed = ", ".join(_keys(names[:-1]))
        return f"{key}: unknown key (value {mistake['input']!r}); allowed here: {allowed}"
    if mistake["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"{key}: {_describe(mistake['input'])} is not allowed: a section of keys is wanted"
    message = mistake["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if isinstance(mistake["input"], (dict, BaseModel)):
        return f"{key}: {_one_line(message)}"
    return f"{key}: {_describe(mistake['input'])} is not allowed: {_one_line(message)}"


def _describe(value: Any) -> str:
    return "null" if value is None else f"{value!r:.80}"


def _is_type_tag(name: int | str) -> bool:
    """Pydantic adds the branch of a union to the location, such as ``literal['motion']``."""
    return isinstance(name, int) or "[" in name or name in ("int", "float", "str")


def _keys(names: list[str]) -> Iterable[str]:
    """What the section at ``names`` may hold."""
    model: type[BaseModel] = Recipe
    if names == ["losses"]:
        return LOSSES
    if names[:1] == ["losses"]:
        model, names = LOSSES[names[1]], names[2:]
    for name in names:
        annotation = model.model_fields[name].annotation
        options = (annotation, *get_args(annotation))
        model = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return model.model_fields


def _one_line(message: object) -> str:
    return " ".join(str(message).split())
