"""What can be said of a model's weight files without torch: whether they are whole, what is in."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors import SafetensorError, safe_open

from monodepth_ros.errors import UserError
from monodepth_ros.networks.registry import find_architecture
from monodepth_ros.zoo.card import ModelCard, NetworkPart

PUBLISHED_FILE = "model.safetensors"  # its tensors have the names under which they were published
_BLOCK = 2**22  # bytes
UNCERTAINTY_FILE = "uncertainty.safetensors"  # of the head: depth is the same with and without it


NETWORK_PARTS: tuple[NetworkPart, ...] = ("depth", "pose")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):  # published weights have gigabytes
            digest.update(block)
    return digest.hexdigest()


def verify_file(path: Path, sha256: str) -> None:
    """A :class:`UserError` where the file is missing or not what was hashed."""
    try:
        actual = file_sha256(path)
    except FileNotFoundError:
        raise UserError(f"{path}: missing; the model's card lists it") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if actual != sha256:
        raise UserError(
            f"{path}: damaged or replaced, its SHA-256 is {actual[:12]}... and not the card's"
            f" {sha256[:12]}..."
        )


def verify_all(folder: Path, card: ModelCard) -> None:
    """A :class:`UserError` where any file that the card lists is missing or not what was hashed."""
    for listed in (card.files, *(export.files for export in card.exports)):
        for name, digest in listed.items():
            verify_file(folder / name, digest)


def networks_in(folder: Path, card: ModelCard) -> list[NetworkPart]:
    """Which networks the model in ``folder`` has: ``depth`` and perhaps ``pose``.

    The files must have the card's hashes; otherwise a :class:`UserError` names the file. A model
    without weights has those that it has exports of.
    """
    if not card.files and card.exports:
        verify_all(folder, card)
        exported = {export.network for export in card.exports}
        return [network for network in NETWORK_PARTS if network in exported]
    check_has_weights(folder, card)
    found: set[str] = set()
    published = find_architecture(card.architecture).is_published
    for name, digest in card.files.items():
        verify_file(folder / name, digest)
        if not name.endswith(".safetensors"):
            continue
        try:
            with safe_open(folder / name, framework="numpy") as tensors:
                keys = ["depth"] if published else tensors.keys()
                found |= {key.partition(".")[0] for key in keys}
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(f"{folder / name}: not a readable safetensors file: {error}") from error
    return [network for network in NETWORK_PARTS if network in found]


def check_has_weights(folder: Path, card: ModelCard) -> None:
    """A :class:`UserError` where there are none; it says what runs the model then."""
    if not card.files:
        only = "is an export alone: use engine onnxruntime or openvino" if card.exports else ""
        raise UserError(f"{folder}: model {card.name} {only or 'lists no weights file'}")
