"""The torch engine with what makes it faster on CUDA, and slower to start: chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.base import depth_and_variance
from monodepth_ros.inference.engines.torch import TorchEngine

_WARM_UPS = 3  # runs in which libraries choose their kernels, before those are recorded


class PreparedTorchEngine(TorchEngine):
    """One whose networks have run once, so that no frame waits for what is done at first use."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        frames = self.prepare(np.zeros((1, *self.size, 3), np.uint8))
        self.inverse_depth(frames)
        depth_and_variance(self, frames)
        if self.has_motion:
            self.motion(frames, frames)


class GraphedTorchEngine(PreparedTorchEngine):
    """Records the kernels of a network once for each size of batch, then replays them as one.

    A small network waits for the launches of its kernels more than for their work.
    """

    name = "torch-graphs"

    @classmethod
    def _target(cls, device: str) -> torch.device:
        target = super()._target(device)
        if target.type != "cuda":
            raise UserError("engine torch-graphs records CUDA graphs: it needs a CUDA device")
        return target

    def _faster(self, network: Callable[..., Any]) -> Callable[..., Any]:
        return _Recorded(network)


class CompiledTorchEngine(PreparedTorchEngine):
    """Compiles the networks by torch.compile, which takes a minute, on CUDA into graphs as well."""

    name = "torch-compiled"

    def _faster(self, network: Callable[..., Any]) -> Callable[..., Any]:
        mode = "reduce-overhead" if self._device.type == "cuda" else "default"
        compiled: Callable[..., Any] = torch.compile(network, mode=mode, dynamic=False)
        return compiled


class _Recorded:
    """A function of tensors as CUDA graphs. Its output is overwritten by the next call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._graphs: dict[tuple[int, ...], tuple[torch.cuda.CUDAGraph, list[Tensor], Any]] = {}

    def __call__(self, *images: Tensor) -> Any:
        shape = tuple(images[0].shape)
        if shape not in self._graphs:
            self._graphs[shape] = self._record(images)
        graph, inputs, output = self._graphs[shape]
        for kept, given in zip(inputs, images, strict=True):
            kept.copy_(given)
        graph.replay()
        return output

    def _record(self, images: tuple[Tensor, ...]) -> tuple[torch.cuda.CUDAGraph, list[Tensor], Any]:
        inputs = [image.clone() for image in images]
        for _ in range(_WARM_UPS):
            self._function(*inputs)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
            output = self._function(*inputs)
        return graph, inputs, output
