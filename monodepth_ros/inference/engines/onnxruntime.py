"""The ONNX Runtime engine: exported networks on CPUs, on CUDA, and on CUDA by TensorRT."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from monodepth_ros.cache_directory import cache_directory
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.base import Rgb
from monodepth_ros.inference.engines.exported import (
    ExportedEngine,
    Network,
    check_precision,
    check_size,
    find_exports,
    one_by_one,
)
from monodepth_ros.zoo.card import ExportPrecision, ModelCard

Provider = tuple[str, dict[str, Any]]

# On a CPU convolutions have no half precision.
_PRECISIONS = {
    "cpu": ("fp32", "int8"),
    "cuda": ("fp32", "fp16"),
    "tensorrt": ("fp32", "fp16", "int8"),
}
_PROVIDERS = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}
_CPU: Provider = ("CPUExecutionProvider", {})
_ERRORS_ONLY = 3


class OnnxRuntimeEngine(ExportedEngine):
    """Runs a model's networks by ONNX Runtime."""

    name, version = "onnxruntime", onnxruntime.__version__

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        device: str,
        precision: str,
        size: tuple[int, int],
        threads: int,
    ) -> OnnxRuntimeEngine:
        """Load the model in ``folder``; see `base.Engine`.

        ``device`` may also be ``tensorrt`` or ``tensorrt:N``: it takes minutes to start for the
        first time, and keeps what it has built in the cache.
        """
        if device == "auto":
            with suppress(UserError):  # which the CPU meets as well, or there is no GPU
                return cls.load(folder, card, "cuda", precision, size, threads)
            device = "cpu"
        kind, number = parse_device(device)
        check_precision(precision, _PRECISIONS[kind], "onnxruntime", kind)
        exports = partial(find_exports, folder, card, precision=_stored(kind, precision))
        providers = execution_providers(kind, number, precision)
        load_network = partial(_load_network, threads=threads, providers=providers)
        device = kind if kind == "cpu" else f"{kind}:{number}"
        check = partial(check_size, folder)
        return cls(card, device, precision, size, threads, exports, load_network, check)


def parse_device(device: str) -> tuple[str, int]:
    """``cpu``, ``cuda`` or ``tensorrt``, and the number of the GPU.

    UserError for others, and for those that this build of ONNX Runtime does not have.
    """
    available = onnxruntime.get_available_providers()
    match = re.fullmatch(r"(cpu)|(cuda|tensorrt)(?::(\d+))?", device)
    if match is None:
        raise UserError(f"device {device!r}: use auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N")
    kind = match[1] or match[2]
    if kind != "cpu" and _PROVIDERS[kind] not in available:
        raise UserError(
            f"device {device!r}: onnxruntime {onnxruntime.__version__} is built without it:"
            " pip install onnxruntime-gpu"
        )
    return kind, int(match[3] or 0)


def execution_providers(kind: str, number: int, precision: str) -> list[Provider]:
    """What runs the graph, the first first; the others take what that cannot run."""
    if kind == "cpu":
        return [_CPU]
    # TensorFloat-32 rounds to 10 bits, which is not what fp32 promises.
    cuda: Provider = (_PROVIDERS["cuda"], {"device_id": number, "use_tf32": 0})
    if kind == "cuda":
        return [cuda, _CPU]
    folder = str(cache_directory("tensorrt"))
    options = {
        "device_id": number,
        "trt_fp16_enable": precision == "fp16",
        "trt_int8_enable": precision == "int8",
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": folder,
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": folder,
    }
    return [(_PROVIDERS["tensorrt"], options), cuda, _CPU]


def _stored(kind: str, precision: str) -> ExportPrecision:
    """The precision of the file: TensorRT makes half precision of fp32 by itself."""
    if precision == "int8":
        return "int8"
    return "fp16" if (kind, precision) == ("cuda", "fp16") else "fp32"


def _load_network(path: Path, threads: int, providers: list[Provider]) -> Network:
    if providers[0] != _CPU and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA's libraries from pip, where torch has not loaded them
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(path, options, providers)
    wanted, found = providers[0][0], session.get_providers()[0]
    if found != wanted:  # it goes on without what it cannot load
        raise UserError(
            f"onnxruntime cannot load {wanted} and would use {found}: are a GPU and the CUDA"
            " libraries of its version installed?"
        )
    names = [image.name for image in session.get_inputs()]
    told = [output.name for output in session.get_outputs()]

    # It computes all outputs: to leave out what others need takes more time than a small head.
    def run(*images: Rgb, outputs: int = 1) -> list[NDArray[np.float32]]:
        given = dict(zip(names, images, strict=True))
        return [np.asarray(found) for found in session.run(told[:outputs], given)]

    return one_by_one(run) if session.get_inputs()[0].shape[0] == 1 else run
