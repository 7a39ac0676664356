"""Weights of a model folder: a safetensors file with the depth and the pose network.

Keys are the networks' own, behind ``depth.`` or ``pose.``. One file, so that two networks that
were trained together cannot be torn apart by an interrupted write. The head for uncertainty has
one of its own: it can be added to a model whose weights stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.networks.registry import (
    build_depth_network,
    build_pose_network,
    find_architecture,
)
from monodepth_ros.zoo.card import ModelCard, Uncertainty, load_card, save_card
from monodepth_ros.zoo.weight_files import (
    PUBLISHED_FILE,
    UNCERTAINTY_FILE,
    check_has_weights,
    file_sha256,
    networks_in,
    verify_file,
)

StateDict = dict[str, Tensor]

WEIGHTS_FILE = "weights.safetensors"
UNCERTAINTY = "uncertainty."  # what the keys of that head begin with in a depth network
NETWORKS = ("depth", "pose")


def save_weights(
    path: Path, states: Mapping[str, Mapping[str, Tensor]], dtype: torch.dtype = torch.float32
) -> None:
    """Write the state dicts of ``states`` (``depth``, ``pose``) into one file.

    Convolution weights are stored as ``dtype``. Everything one-dimensional (biases, batch norm
    statistics) stays float32: it is small, and variances overflow half precision.
    """
    tensors: StateDict = {}
    for network, state in states.items():
        if network not in NETWORKS:
            raise ValueError(f"network {network!r} is not one of {', '.join(NETWORKS)}")
        for key, value in state.items():
            stored = value.detach().cpu()
            if stored.is_floating_point():
                stored = stored.to(dtype if stored.ndim > 1 else torch.float32)
                if not torch.isfinite(stored).all():
                    raise ValueError(f"{network}.{key} is not finite as {stored.dtype}")
            tensors[f"{network}.{key}"] = stored.contiguous()
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def save_model(
    folder: Path,
    card: ModelCard,
    states: Mapping[str, Mapping[str, Tensor]],
    dtype: torch.dtype = torch.float32,
) -> ModelCard:
    """Write a model folder: weights, then the card with their hashes. Returns that card."""
    head, depth = split_off_head(states["depth"])
    parts = {WEIGHTS_FILE: {**states, "depth": depth}}
    if head:
        parts[UNCERTAINTY_FILE] = {"depth": head}
    for name, part in parts.items():
        save_weights(Path(folder) / name, part, dtype)
    digests = {name: file_sha256(Path(folder) / name) for name in parts}
    # Exports are of the weights that were there before.
    card = card.model_copy(update={"files": digests, "exports": []})
    save_card(folder, card)
    return card


def add_head(
    former: Path, folder: Path, head: Mapping[str, Tensor], uncertainty: Uncertainty
) -> ModelCard:
    """Write the model of ``former`` to ``folder``, with this head for uncertainty.

    All else stays as it is, byte for byte; exports are left out, as they lack the head.
    """
    card = load_card(former)
    for name in card.files:
        verify_file(former / name, card.files[name])
        if name != UNCERTAINTY_FILE:
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes((former / name).read_bytes())
    save_weights(folder / UNCERTAINTY_FILE, {"depth": head})
    digest = file_sha256(folder / UNCERTAINTY_FILE)
    update = {
        "name": folder.name,
        "uncertainty": uncertainty,
        "files": {**card.files, UNCERTAINTY_FILE: digest},
        "exports": [],
    }
    card = card.model_copy(update=update)
    save_card(folder, card)
    return card


def split_off_head(depth: Mapping[str, Tensor]) -> tuple[StateDict, StateDict]:
    """The head for uncertainty of a depth network's state, which may be empty, and the rest."""
    head = {key: value for key, value in depth.items() if key.startswith(UNCERTAINTY)}
    return head, {key: value for key, value in depth.items() if key not in head}


def load_networks(folder: Path, card: ModelCard) -> dict[str, nn.Module]:
    """The networks ``depth`` and, where the model has one, ``pose``, with their weights.

    :class:`UserError` as of `load_weights`.
    """
    if find_architecture(card.architecture).is_published:
        return {"depth": _load_published(folder, card)}
    networks: dict[str, nn.Module] = {}
    for part, state in load_weights(folder, card).items():
        networks[part] = build_network(part, card)
        networks[part].load_state_dict(state)
    return networks


def _load_published(folder: Path, card: ModelCard) -> nn.Module:
    """Of a card that lists one file of weights and the two that describe them."""
    networks_in(folder, card)  # are they whole?
    with torch.device("meta"):
        network: Any = build_network("depth", card)
    source = Path(folder) / PUBLISHED_FILE
    problem = network.load_published(_read_verified(source, card.files[PUBLISHED_FILE]))
    if problem:
        raise UserError(f"{source}: {problem}")
    for key, value in network.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(f"{source}: {key} holds values that are not finite")
    return network


def load_weights(folder: Path, card: ModelCard) -> dict[str, StateDict]:
    """Float32 state dicts ``depth`` and, where the model has one, ``pose``.

    The files must have the card's hashes and hold exactly the tensors of the card's architecture;
    otherwise a :class:`UserError` names the file and what is wrong with it. A card without
    ``uncertainty`` leaves the head out, whose file may be there.
    """
    check_has_weights(folder, card)
    if find_architecture(card.architecture).is_published:
        return {part: net.state_dict() for part, net in load_networks(folder, card).items()}
    tensors: StateDict = {}
    for name, digest in card.files.items():
        if name != UNCERTAINTY_FILE or card.uncertainty is not None:
            tensors.update(_read_verified(Path(folder) / name, digest))
    source = ", ".join(str(Path(folder) / name) for name in card.files)
    states: dict[str, StateDict] = {network: {} for network in NETWORKS}
    for key, value in tensors.items():
        network, _, parameter = key.partition(".")
        if network not in states:
            raise UserError(f"{source}: tensor {key} belongs to no network of this package")
        states[network][parameter] = value.float() if value.is_floating_point() else value
    if not states["depth"]:
        raise UserError(f"{source}: holds no depth network")
    states = {network: state for network, state in states.items() if state}
    for network, state in states.items():
        with torch.device("meta"):
            expected = build_network(network, card)
        check_state(state, expected, f"{source} ({network})", card.architecture)
    return states


def build_network(part: str, card: ModelCard) -> nn.Module:
    """The card's ``depth`` or ``pose`` network with random weights."""
    if part == "pose":
        return build_pose_network(card.architecture)
    members = card.uncertainty.members if card.uncertainty else 0
    return build_depth_network(
        card.architecture, card.min_depth, card.max_depth, members, card.published
    )


def check_state(state: StateDict, expected: nn.Module, source: str, architecture: str) -> None:
    """Raise a :class:`UserError` unless ``state`` fits ``expected`` key by key and is finite."""
    wanted = expected.state_dict()
    problems = [
        ("lacks", wanted.keys() - state.keys()),
        ("has unexpected", state.keys() - wanted.keys()),
    ]
    for verb, keys in problems:
        if keys:
            raise UserError(f"{source}: {verb} {_sample(keys)} for {architecture}")
    for key, value in state.items():
        if value.shape != wanted[key].shape:
            raise UserError(
                f"{source}: {key} has shape {list(value.shape)},"
                f" {architecture} needs {list(wanted[key].shape)}"
            )
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise UserError(f"{source}: {key} holds values that are not finite")


def _read_verified(path: Path, sha256: str) -> StateDict:
    """The tensors; a :class:`UserError` where the file is missing or not what was hashed."""
    verify_file(path, sha256)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable safetensors file: {error}") from error


def _sample(keys: set[str]) -> str:
    rest = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(sorted(keys)[:3]) + rest
