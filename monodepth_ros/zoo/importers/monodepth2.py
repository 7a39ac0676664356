"""Import of weights in the public Monodepth2 format into a model folder.

A weights folder of the release by Godard et al. (ICCV 2019) holds ``encoder.pth``, ``depth.pth``,
``pose_encoder.pth`` and ``pose.pth``. The released weights are licensed for non-commercial use
alone: users bring them, this package has none of them.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.zoo.card import ModelCard, Provenance, check_size
from monodepth_ros.zoo.size import parse_size
from monodepth_ros.zoo.weights import StateDict, build_network, check_state, save_model

LICENCE = "Monodepth2 licence (Niantic): non-commercial use only; weights supplied by the user"
DEPTH_FILES = ("encoder.pth", "depth.pth")
POSE_FILES = ("pose_encoder.pth", "pose.pth")

MIN_DEPTH, MAX_DEPTH = 0.1, 100.0  # of the release
# Stereo training used a baseline of 0.1 units; KITTI's is 0.54 m.
STEREO_FACTOR = 5.4
# Focal lengths of every KITTI image as the release trains with it, in image widths and heights.
KITTI_FX, KITTI_FY = 0.58, 1.92

# What our decoders call the layers of depth.pth and pose.pth. The published depth decoder numbers
# its convolutions from the coarsest level down, two to a level, then the four disparity heads.
_LAYERS = {
    **{f"decoder.{2 * (4 - i)}.conv.conv": f"before_upsampling.{i}" for i in range(5)},
    **{f"decoder.{2 * (4 - i) + 1}.conv.conv": f"after_upsampling.{i}" for i in range(5)},
    **{f"decoder.{10 + i}.conv": f"disparity.{i}" for i in range(4)},
    **{"net.0": "squeeze", "net.1": "conv1", "net.2": "conv2", "net.3": "pose"},
}


def import_monodepth2(
    source: Path,
    destination: Path,
    name: str,
    size: tuple[int, int] | None = None,
    with_pose: bool = True,
) -> ModelCard:
    """Convert the weights folder ``source`` to the model folder ``destination``.

    The ResNet is recognised by its tensors, and the input size and stereo training by what
    ``encoder.pth`` says; ``size`` (height, width) replaces that. ``with_pose=False`` imports depth
    alone: weights trained on stereo pairs have no pose network. A missing file, one that is not
    a weights file, or a tensor of another shape is a :class:`UserError`; nothing is written then.
    """
    if size is not None:
        _checked(size, "--size")
    names = (*DEPTH_FILES, *POSE_FILES) if with_pose else DEPTH_FILES
    missing = [file for file in names if not (source / file).is_file()]
    if missing:
        alone = with_pose and not set(missing) & set(DEPTH_FILES)
        hint = "; --depth-only imports without a pose network" if alone else ""
        raise UserError(f"{source}: lacks {', '.join(missing)}{hint}")
    files = [_read_pth(source / file) for file in names]
    card = _card(name, files[0], size)
    states = {"depth": _network_state("depth", card, *files[:2])}
    if with_pose:
        states["pose"] = _network_state("pose", card, *files[2:])
    return save_model(destination, card, states)


class _PthFile(NamedTuple):
    path: Path
    content: dict[str, Any]


def _read_pth(path: Path) -> _PthFile:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{path}: not a PyTorch weights file ({reason})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds no state dict, but a {type(content).__name__}")
    return _PthFile(path, content)


def _recognise(encoder: _PthFile) -> str:
    if "encoder.layer1.0.conv1.weight" not in encoder.content:
        raise UserError(
            f"{encoder.path}: not a Monodepth2 encoder, it has no encoder.layer1.0.conv1"
        )
    if "encoder.layer1.0.conv3.weight" in encoder.content:
        return "monodepth2-resnet50"
    if "encoder.layer1.2.conv1.weight" in encoder.content:
        return "monodepth2-resnet34"
    return "monodepth2-resnet18"


def _network_state(part: str, card: ModelCard, encoder: _PthFile, decoder: _PthFile) -> StateDict:
    """The state dict of the card's network from its two files, each checked by itself."""
    network = build_network(part, card)
    ours = network.get_submodule("encoder")
    states = {"encoder": _encoder_state(encoder.content, ours), "decoder": _renamed(decoder)}
    for half, file in (("encoder", encoder), ("decoder", decoder)):
        expected = network.get_submodule(half)
        check_state(states[half], expected, str(file.path), card.architecture)
    return {f"{half}.{key}": value for half in states for key, value in states[half].items()}


def _encoder_state(content: dict[str, Any], expected: torch.nn.Module) -> StateDict:
    """Without the prefix, the unused classifier, and entries that are not tensors.

    PyTorch before 0.4.1 wrote no ``num_batches_tracked``, which inference does not need.
    """
    counts = {k: v for k, v in expected.state_dict().items() if k.endswith("num_batches_tracked")}
    return counts | {
        key.removeprefix("encoder."): value
        for key, value in content.items()
        if isinstance(value, Tensor) and not key.startswith("encoder.fc.")
    }


def _renamed(file: _PthFile) -> StateDict:
    state: StateDict = {}
    for key, value in file.content.items():
        layer, _, parameter = key.rpartition(".")
        if layer not in _LAYERS or not isinstance(value, Tensor):
            raise UserError(f"{file.path}: unexpected entry {key}")
        state[f"{_LAYERS[layer]}.{parameter}"] = value
    return state


def _input_size(encoder: _PthFile) -> tuple[int, int]:
    height, width = encoder.content.get("height"), encoder.content.get("width")
    if not isinstance(height, int) or not isinstance(width, int):
        raise UserError(f"{encoder.path}: states no input size; give it with --size")
    return _checked((height, width), f"{encoder.path}: input size")


def _checked(size: tuple[int, int], source: str) -> tuple[int, int]:
    """A size that the published ResNets, which are alike in that, can work at."""
    try:
        check_size("monodepth2-resnet18", parse_size(size))
        return size
    except ValueError as error:
        raise UserError(f"{source} {error}") from None


def _card(name: str, encoder: _PthFile, size: tuple[int, int] | None) -> ModelCard:
    architecture = _recognise(encoder)
    height, width = size = _input_size(encoder) if size is None else size
    card = ModelCard(
        name=name,
        licence=LICENCE,
        provenance=Provenance(
            data="as the supplier of the weights states (the release: KITTI)",
            recipe="public Monodepth2 weights, imported",
            command=f"monodepth models import {encoder.path.parent} --name {name}",
        ),
        architecture=architecture,
        size=size,
        min_depth=MIN_DEPTH,
        max_depth=MAX_DEPTH,
    )
    if not encoder.content.get("use_stereo"):
        return card
    focal_length = math.sqrt(KITTI_FX * width * KITTI_FY * height)
    metric = {"scale": "metric", "factor": STEREO_FACTOR, "focal_length": focal_length}
    return card.model_copy(update=metric)
