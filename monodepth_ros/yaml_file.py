"""YAML read with one kind of error, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from monodepth_ros.errors import UserError


def read_mapping(path: Path, what: str) -> dict[str, Any]:
    """The keys and values of a YAML file; of an empty file, none.

    UserError that names the file where it cannot be read, or holds a list or a value instead;
    ``what`` it is is said then: "a recipe".
    """
    try:
        return parse_mapping(path.read_text(encoding="utf-8"), str(path), what)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a YAML file: {error}") from None


def parse_mapping(text: str, source: str, what: str) -> dict[str, Any]:
    """The same of a text; ``source`` is named in errors."""
    content = parse_yaml(text, source)
    if content is None:
        return {}
    if not isinstance(content, dict):
        kind = "a list" if isinstance(content, list) else f"{content!r:.60}"
        raise UserError(f"{source}: {what} is a mapping of keys to values, got {kind}")
    return content


def parse_yaml(text: str, source: str) -> Any:
    """What a YAML text holds; UserError that names ``source`` where it is not YAML."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # the latter for a date such as 2024-13-45
        raise UserError(f"{source}: not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UserError(f"{source}: not YAML that can be read: nested too deep") from None
