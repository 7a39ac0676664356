"""What engines share that run exported networks: frames are bytes, and nothing needs torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.image_size import resize_bytes
from monodepth_ros.inference.engines.base import DepthMaps, Frames, Rgb
from monodepth_ros.inference.export.cached import ensure_exports
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.zoo.card import ExportFormat, ExportPrecision, ModelCard, NetworkPart
from monodepth_ros.zoo.weight_files import networks_in

# A loaded network: images (B, h, w, 3), one array for each of its inputs, to its outputs.
Network = Callable[..., Sequence[NDArray[np.float32]]]


@dataclass(frozen=True)
class ByteFrames:
    """Images ``(B, h, w, 3)`` at the network's size."""

    images: Rgb

    def pixels(self) -> Rgb:
        """The images."""
        return self.images

    def mirrored(self) -> ByteFrames:
        """Left and right exchanged."""
        return ByteFrames(np.ascontiguousarray(self.images[:, :, ::-1]))

    def joined(self, others: Sequence[Frames]) -> ByteFrames:
        """One batch of all."""
        return ByteFrames(np.concatenate([self.images, *(other.pixels() for other in others)]))


class ExportedEngine:
    """The part of `base.Engine` that does not depend on the runtime.

    ``exports`` are the files of the model's networks, and ``load_network`` loads one. The pose
    network is loaded when it is first used, which a node for depth never does. ``threads`` 0 is one
    for each core.
    """

    name: str  # of the engine and its library
    version: str  # of the library
    chosen = ""

    def __init__(
        self,
        card: ModelCard,
        device: str,
        precision: str,
        size: tuple[int, int],
        threads: int,
        exports: Mapping[NetworkPart, Path],
        load_network: Callable[[Path], Network],
    ) -> None:
        self.card, self.device, self.precision, self.size = card, device, precision, size
        self.threads = threads or len(os.sched_getaffinity(0))
        self.has_motion = "pose" in exports
        self._exports, self._load_network = exports, load_network
        self._depth = load_network(exports["depth"])
        self._pose: Network | None = None

    def describe(self) -> dict[str, str]:
        """Engine, device, precision, threads, and the library's version."""
        return {
            "engine": self.name,
            "device": self.device,
            "precision": self.precision,
            "threads": str(self.threads),
            self.name: self.version,
        }

    def prepare(self, images: Rgb) -> ByteFrames:
        """Images ``(B, H, W, 3)`` at the networks' size, resized as training's are."""
        return ByteFrames(resize_bytes(images, self.size))

    def inverse_depth(self, frames: Frames) -> NDArray[np.float32]:
        """``(B, h, w)`` in 1/unit."""
        return self.depth_and_variance(frames).inverse_depth

    def depth_and_variance(self, frames: Frames) -> DepthMaps:
        """Inverse depth and its log variance, None where the network tells none."""
        return DepthMaps(*self._depth(frames.pixels()))

    def motion(self, first: Frames, second: Frames) -> NDArray[np.float32]:
        """Axis-angle and translation ``(B, 6)`` of ``T_second_first``; ``first`` is the earlier."""
        if not self.has_motion:
            raise UserError(f"model {self.card.name} has no pose network: choose one with odometry")
        if self._pose is None:
            self._pose = self._load_network(self._exports["pose"])
        return self._pose(first.pixels(), second.pixels())[0]


def find_exports(
    folder: Path,
    card: ModelCard,
    size: tuple[int, int],
    precision: ExportPrecision,
    own_format: ExportFormat = "onnx",
) -> dict[NetworkPart, Path]:
    """The files of the model's networks: of ``own_format`` where the card lists them, else ONNX.

    A pose network without an int8 export stays in single precision, as it gains little.
    """
    networks, chosen = networks_in(folder, card), []
    for network in networks:
        kinds = [ExportKind(name, network, size, precision) for name in (own_format, "onnx")]
        if network == "pose" and precision == "int8" and not any(k.listed(card) for k in kinds):
            kinds = [replace(kind, precision="fp32") for kind in kinds]
        chosen.append(next((kind for kind in kinds if kind.listed(card)), kinds[-1]))
    return dict(zip(networks, ensure_exports(folder, card, chosen), strict=True))


def one_by_one(network: Network) -> Network:
    """For batches of any size, a network whose file takes one image at a time."""

    def run(*images: Rgb) -> list[NDArray[np.float32]]:
        found = [network(*(each[k : k + 1] for each in images)) for k in range(len(images[0]))]
        return [np.concatenate(outputs) for outputs in zip(*found, strict=True)]

    return run


def check_precision(precision: str, possible: tuple[str, ...], engine: str, device: str) -> None:
    """UserError unless the engine can compute in it there."""
    if precision not in possible:
        raise UserError(
            f"precision {precision!r}: {engine} has {', '.join(possible)} on this {device}"
        )
