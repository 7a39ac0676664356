"""A folder with weights as Hugging Face's transformers publishes them becomes a model folder.

Nothing is converted: a card is written beside the three files. No torch is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from monodepth_ros.errors import UserError
from monodepth_ros.networks.published import (
    CONFIG_FILE,
    PREPROCESSOR_FILE,
    Json,
    Preparation,
    network_type,
    preparation,
)
from monodepth_ros.zoo.card import ModelCard, Provenance, read_published, save_card
from monodepth_ros.zoo.resize_rule import ResizeRule
from monodepth_ros.zoo.weight_files import PUBLISHED_FILE, file_sha256

ARCHITECTURE = "huggingface"
UNKNOWN_LICENCE = "unknown: see where the weights were published"


def adopt(
    folder: Path,
    name: str | None = None,
    licence: str = UNKNOWN_LICENCE,
    homepage: str | None = None,
    revision: str | None = None,
) -> ModelCard:
    """Write the card of the published model in ``folder``, which becomes a model folder.

    ``name`` is the folder's by default. :class:`UserError` where one of ``config.json``,
    ``preprocessor_config.json`` and ``model.safetensors`` is missing or cannot be read, or where
    the network is of a type that is not known here; no card is written then.
    """
    folder = Path(folder)
    published = read_published(folder)
    check_weights(folder)
    try:
        card = ModelCard(
            name=name or folder.resolve().name,
            licence=licence,
            provenance=Provenance(
                data="published weights, see homepage" if homepage else "unknown"
            ),
            homepage=homepage,
            revision=revision,
            architecture=ARCHITECTURE,
            files={
                file: file_sha256(folder / file)
                for file in (PUBLISHED_FILE, CONFIG_FILE, PREPROCESSOR_FILE)
            },
            **_said(published["config"], published["preprocessor"]),
        )
    except ValueError as error:
        raise UserError(f"{folder}: {error}") from None
    save_card(folder, card)
    return card


def _said(config: Json, preprocessor: Json) -> dict[str, Any]:
    """What a card says of the network by its two files."""
    kind, does = network_type(config), preparation(config, preprocessor)
    said = {"ambiguity": "none", "scale": "metric"} if kind.metric else {"scale": "relative"}
    return {**said, "resize": _rule(does, kind.output)}


def _rule(does: Preparation, output: str) -> ResizeRule:
    bytes_ = does.resizes == "bytes"
    size = does.size if bytes_ else None
    return ResizeRule.model_validate(
        {
            "fit": "image" if size is None else "closest" if does.keep_aspect else "stretch",
            "size": size,
            "multiple": does.multiple if bytes_ else 1,
            "rounding": "down" if does.rounds_down else "nearest",
            "kernel": does.kernel,
            "back": does.back,
            "back_of": output,
        }
    )


def check_weights(folder: Path) -> None:
    """UserError unless the weights are there, in a form that nothing has to unpickle."""
    path = folder / PUBLISHED_FILE
    if not path.is_file():
        if (folder / f"{PUBLISHED_FILE}.index.json").exists():
            raise UserError(
                f"{folder}: weights in several files: join them to one {PUBLISHED_FILE}"
            )
        pickles = sorted(p.name for p in folder.glob("*.bin"))
        if pickles:
            raise UserError(
                f"{folder}: {pickles[0]} is a pickle, which can run any code: take"
                f" {PUBLISHED_FILE} of the same model, or convert it with safetensors"
            )
        raise UserError(f"{folder}: lacks {PUBLISHED_FILE}")
    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable safetensors file: {error}") from None
