"""Models that others publish and `monodepth models fetch` brings: what is known of each.

The list is `models/available.yaml`. What nobody has looked up is absent there and never guessed.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from monodepth_ros.errors import UserError
from monodepth_ros.share_directory import share_directory
from monodepth_ros.yaml_file import read_mapping
from monodepth_ros.zoo.card import ModelName, Sha256, describe_errors

AVAILABLE_FILE = "available.yaml"

# Plain names: a list can neither reach out of a folder nor name what a catalogue would read.
PublishedName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(json|safetensors|onnx)$")
]
Repository = Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
# What makes a model folder of the files: see `zoo/adoption.py`.
PublishedKind = Literal["huggingface", "depth-anything-3-metric", "depth-anything-3-mono"]


class PublishedFile(BaseModel):
    """A file of a published model: SHA-256 and size in bytes, where somebody has looked them up."""

    model_config = ConfigDict(extra="forbid")

    sha256: Sha256 | None = None
    size: PositiveInt | None = None


class AvailableModel(BaseModel):
    """A published model.

    ``revision`` is the commit of ``repository``, None where nobody has chosen one: then that of
    the day. ``megabytes`` is about the size of the download. ``commercial_use`` is whether its
    licence allows that; where sources disagree, the stricter one counts.
    """

    model_config = ConfigDict(extra="forbid")

    repository: Repository
    revision: Commit | None = None
    kind: PublishedKind = "huggingface"
    files: Annotated[dict[PublishedName, PublishedFile], Field(min_length=1)]
    megabytes: PositiveInt | None = None
    licence: Annotated[str, Field(min_length=1)]
    commercial_use: bool
    homepage: Annotated[str, StringConstraints(pattern=r"^https://\S+$")]
    good_for: Annotated[str, Field(min_length=1)]


def read_available(path: Path) -> dict[str, AvailableModel]:
    """The models of a list by name; a :class:`UserError` names the file and the key."""
    try:
        return TypeAdapter(dict[ModelName, AvailableModel]).validate_python(
            read_mapping(path, "a list of published models")
        )
    except ValidationError as error:
        raise UserError(f"{path}: {describe_errors(error)}") from None


def available_models() -> dict[str, AvailableModel]:
    """The models that the package knows, by name."""
    return read_available(share_directory() / "models" / AVAILABLE_FILE)


def find_available(name: str) -> AvailableModel:
    """The published model called ``name``; a :class:`UserError` suggests names like it."""
    known = available_models()
    if name in known:
        return known[name]
    alike = difflib.get_close_matches(name, known, n=3)
    hint = f"; did you mean {' or '.join(alike)}?" if alike else ""
    raise UserError(
        f"no published model is known as {name!r}{hint}"
        " `monodepth models list --available` lists them"
    )
