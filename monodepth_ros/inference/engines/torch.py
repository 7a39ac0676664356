"""The torch engine: a model folder's networks on the CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.image_size import resize_batch, resize_bytes
from monodepth_ros.inference.engines.base import DepthMaps, Frames, Rgb
from monodepth_ros.networks.depth_network import DepthNetwork
from monodepth_ros.networks.folding import fold_batch_norms
from monodepth_ros.zoo.card import ModelCard
from monodepth_ros.zoo.weights import load_networks

NetT = TypeVar("NetT", bound=nn.Module)

_AUTOCAST: dict[str, torch.dtype] = {"fp16": torch.float16, "bf16": torch.bfloat16}


def choose_device(name: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU; others are torch's names."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = None
    with suppress(RuntimeError):
        device = torch.device(name)
    if device is None or device.type not in ("cpu", "cuda"):
        raise UserError(f"device {name!r}: use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"device {name!r}: torch {torch.__version__} sees no such CUDA device")
    return device


@dataclass(frozen=True)
class TorchFrames:
    """Images on the engine's device, as bytes ``(B, 3, h, w)`` and in [0, 1].

    All that is done with them is done on the engine's ``stream``, where they were made.
    """

    bytes_: Tensor
    images: Tensor
    stream: torch.cuda.Stream | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return int(self.bytes_.shape[2]), int(self.bytes_.shape[3])

    def pixels(self) -> Rgb:
        """``(B, h, w, 3)`` on the CPU."""
        with on_stream(self.stream):
            return self.bytes_.permute(0, 2, 3, 1).contiguous().cpu().numpy()

    def mirrored(self) -> TorchFrames:
        """Left and right exchanged."""
        with on_stream(self.stream):
            return TorchFrames(self.bytes_.flip(3), self.images.flip(3), self.stream)

    def joined(self, others: Sequence[Frames]) -> TorchFrames:
        """One batch of these images and those of ``others``."""
        if not others:
            return self
        every = [self, *map(_of_torch, others)]
        bytes_, images = ([getattr(f, name) for f in every] for name in ("bytes_", "images"))
        with on_stream(self.stream):
            return TorchFrames(torch.cat(bytes_), torch.cat(images), self.stream)


def on_stream(stream: torch.cuda.Stream | None) -> AbstractContextManager[Any]:
    """Kernels of the body go to ``stream``; nothing changes without one."""
    return nullcontext() if stream is None else torch.cuda.stream(stream)


class TorchEngine:
    """Runs a model's networks by torch.

    On CUDA, on a stream of its own: it waits for nobody else who uses the device in this process.
    """

    name = "torch"
    chosen = ""

    def __init__(
        self,
        card: ModelCard,
        depth_net: DepthNetwork,
        pose_net: nn.Module | None,
        device: torch.device,
        precision: str,
        size: tuple[int, int],
    ) -> None:
        self.card, self.precision, self.size = card, precision, size
        self.device = str(device)
        self.has_motion = pose_net is not None
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        depth_net = self._placed(depth_net, images=1)
        self._depth = self._faster(depth_net.finest)
        self._depth_and_variance = self._faster(depth_net.finest_with_variance)
        self._pose = None if pose_net is None else self._faster(self._placed(pose_net, images=2))

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        device: str,
        precision: str,
        size: tuple[int, int],
        threads: int,
    ) -> TorchEngine:
        """Load the model in ``folder``; see `base.Engine`. Threads are those of all of torch."""
        target = cls._target(device)
        if precision not in ("fp32", *_AUTOCAST):
            raise UserError(f"precision {precision!r}: use fp32, fp16 or bf16")
        if precision == "fp16" and target.type == "cpu":
            raise UserError("precision 'fp16' is slower than fp32 on a CPU: use fp32 or bf16")
        if threads:
            torch.set_num_threads(threads)
        networks: dict[str, Any] = {**load_networks(folder, card)}
        return cls(card, networks["depth"], networks.get("pose"), target, precision, size)

    def describe(self) -> dict[str, str]:
        """Engine, device, precision and the threads that torch has."""
        return {
            "engine": self.name,
            "device": self.device,
            "precision": self.precision,
            "threads": str(torch.get_num_threads()),
        }

    def prepare(self, images: Rgb) -> TorchFrames:
        """Images ``(B, H, W, 3)`` travel to the device as bytes and are resized there, as
        training's frames are; on a CPU those of published models as Pillow does it.
        """
        size = self.card.size_for(images.shape[1:3])
        if self.card.resize is not None and self._device.type == "cpu":
            images = resize_bytes(images, size, self.card.kernel)  # every grey level as published
        given = torch.from_numpy(np.ascontiguousarray(images))
        with torch.inference_mode(), on_stream(self._stream):
            if self._stream is not None:
                given = given.pin_memory()  # from pinned memory nobody waits for the copy
            there = given.to(self._device, non_blocking=True)
            bytes_ = resize_batch(there.permute(0, 3, 1, 2), size, self.card.kernel)
            if bytes_.data_ptr() == given.data_ptr():
                bytes_ = bytes_.clone()
            return TorchFrames(bytes_, bytes_.float() / 255.0, self._stream)

    def inverse_depth(self, frames: Frames) -> NDArray[np.float32]:
        """``(B, h, w)`` in 1/unit."""
        with self._computing():
            return _to_numpy(self._depth(_images(frames))[:, 0])

    def depth_and_variance(self, frames: Frames) -> DepthMaps:
        """Inverse depth and its log variance, None where the network tells none."""
        with self._computing():
            inverse, log_variance = self._depth_and_variance(_images(frames))
            told = None if log_variance is None else _to_numpy(log_variance[:, 0])
            return DepthMaps(_to_numpy(inverse[:, 0]), told)

    def motion(self, first: Frames, second: Frames) -> NDArray[np.float32]:
        """Axis-angle and translation ``(B, 6)`` of ``T_second_first``; ``first`` is the earlier."""
        if self._pose is None:
            raise UserError(f"model {self.card.name} has no pose network: choose one with odometry")
        with self._computing():
            return _to_numpy(torch.cat(self._pose(_images(first), _images(second)), 1))

    @classmethod
    def _target(cls, device: str) -> torch.device:
        """Where a device by its name is; UserError where the engine cannot run there."""
        return choose_device(device)

    def _faster(self, network: Callable[..., Any]) -> Callable[..., Any]:
        """What runs in place of ``network``: here itself."""
        return network

    def _placed(self, net: NetT, images: int) -> NetT:
        net.eval().requires_grad_(False)
        fold_batch_norms(net, *[torch.zeros(1, 3, *self.size)] * images)
        net.to(self._device)
        return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @contextmanager
    def _computing(self) -> Iterator[None]:
        dtype = _AUTOCAST.get(self.precision)
        half = torch.autocast(self._device.type, dtype, dtype is not None)
        with torch.inference_mode(), on_stream(self._stream), half:
            yield


def _to_numpy(output: Tensor) -> NDArray[np.float32]:
    return np.asarray(output.float().cpu().numpy())


def _images(frames: Frames) -> Tensor:
    """``(B, 3, h, w)`` in [0, 1]."""
    return _of_torch(frames).images.contiguous(memory_format=torch.channels_last)


def _of_torch(frames: Frames) -> TorchFrames:
    assert isinstance(frames, TorchFrames), "frames of another engine"
    return frames
