"""What engines share that run exported networks: frames are bytes, and nothing needs torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.image_size import resize_bytes
from monodepth_ros.inference.engines.base import DepthMaps, Engine, Frames, Rgb
from monodepth_ros.inference.engines.short_check import short_check
from monodepth_ros.inference.export.cached import ensure_exports
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.zoo.card import ExportFormat, ExportPrecision, ModelCard, NetworkPart
from monodepth_ros.zoo.weight_files import networks_in

_MAX_OTHERS = 3  # sizes besides the usual one: a robot has few cameras, a network has its memory


class Network(Protocol):
    """A loaded network."""

    def __call__(self, *images: Rgb, outputs: int = 1) -> Sequence[NDArray[np.float32]]:
        """Its first ``outputs``, if possible without work for the others.

        ``images`` are ``(B, h, w, 3)``, one array for each of its inputs.
        """


@dataclass(frozen=True)
class ByteFrames:
    """Images ``(B, h, w, 3)`` at the network's size."""

    images: Rgb

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.images.shape[1], self.images.shape[2]

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

    ``exports`` finds the files of the model's networks for a size, and ``load_network`` loads one.
    The depth network is loaded at once for the usual ``size``. Others are loaded when they are
    first used: the pose network, which a node for depth never does, and those of other sizes, which
    have to agree with torch (``check``: why they must not be used, or ''). ``threads`` 0 is one for
    each core.
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
        exports: Callable[[tuple[int, int]], Mapping[NetworkPart, Path]],
        load_network: Callable[[Path], Network],
        check: Callable[[Any, tuple[int, int]], str],
    ) -> None:
        self.card, self.device, self.precision, self.size = card, device, precision, size
        self.threads = threads or len(os.sched_getaffinity(0))
        self._exports, self._load_network, self._check = exports, load_network, check
        self._loaded: dict[tuple[NetworkPart, tuple[int, int]], Network] = {}
        self.has_motion = "pose" in exports(size)
        self._network("depth", size)

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
        size = self.card.size_for(images.shape[1:3])
        return ByteFrames(resize_bytes(images, size, self.card.kernel))

    def inverse_depth(self, frames: Frames) -> NDArray[np.float32]:
        """``(B, h, w)`` in 1/unit."""
        return self._network("depth", frames.size)(frames.pixels())[0]

    def depth_and_variance(self, frames: Frames) -> DepthMaps:
        """Inverse depth and its log variance, None where the network tells none."""
        outputs = 1 if self.card.uncertainty is None else 2
        return DepthMaps(*self._network("depth", frames.size)(frames.pixels(), outputs=outputs))

    def motion(self, first: Frames, second: Frames) -> NDArray[np.float32]:
        """Axis-angle and translation ``(B, 6)`` of ``T_second_first``; ``first`` is the earlier."""
        if not self.has_motion:
            raise UserError(f"model {self.card.name} has no pose network: choose one with odometry")
        return self._network("pose", first.size)(first.pixels(), second.pixels())[0]

    def _network(self, part: NetworkPart, size: tuple[int, int]) -> Network:
        """The network for a size; of sizes other than the usual one the latest few are kept."""
        found = self._loaded.get((part, size))
        if found is not None:
            return found
        others = [key for key in self._loaded if key[1] != self.size]
        for key in others[: len(others) - _MAX_OTHERS + 1]:
            del self._loaded[key]
        network = self._loaded[part, size] = self._load_network(self._exports(size)[part])
        if size != self.size and (reason := self._check(self, size)):
            del self._loaded[part, size]
            raise UserError(f"model {self.card.name} on {self.name} {self.precision}: {reason}")
        return network


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

    def run(*images: Rgb, outputs: int = 1) -> list[NDArray[np.float32]]:
        singles = ([each[k : k + 1] for each in images] for k in range(len(images[0])))
        found = [network(*single, outputs=outputs) for single in singles]
        return [np.concatenate(maps) for maps in zip(*found, strict=True)]

    return run


def check_size(folder: Path, engine: Engine, size: tuple[int, int]) -> str:
    """Why the engine must not be used for this size of depth, '' where it may."""
    return short_check(engine, folder, ("depth",), size)


def check_precision(precision: str, possible: tuple[str, ...], engine: str, device: str) -> None:
    """UserError unless the engine can compute in it there."""
    if precision not in possible:
        raise UserError(
            f"precision {precision!r}: {engine} has {', '.join(possible)} on this {device}"
        )
