"""The OpenVINO engine: exported networks on CPUs, in what precision the CPU has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino
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

# Our names: OpenVINO's hint, and what a CPU that computes in it says that it can.
_HINTS = {"fp32": ("f32", "FP32"), "bf16": ("bf16", "BF16"), "fp16": ("f16", "FP16")}


@cache
def _core() -> Any:
    return openvino.Core()


def possible_precisions() -> tuple[str, ...]:
    """Those that this CPU computes in, by what OpenVINO says of it; int8 needs an export."""
    able = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return (*(name for name, (_, word) in _HINTS.items() if word in able), "int8")


class OpenVinoEngine(ExportedEngine):
    """Runs a model's networks by OpenVINO."""

    name, version = "openvino", openvino.__version__.split("-")[0]

    @classmethod
    def load(
        cls,
        folder: Path,
        card: ModelCard,
        device: str,
        precision: str,
        size: tuple[int, int],
        threads: int,
    ) -> OpenVinoEngine:
        """Load the model in ``folder``; see `base.Engine`."""
        if device not in ("auto", "cpu"):
            raise UserError(f"device {device!r}: openvino runs on the cpu; for CUDA use torch")
        check_precision(precision, possible_precisions(), "openvino", "CPU")
        stored: ExportPrecision = "int8" if precision == "int8" else "fp32"
        exports = partial(find_exports, folder, card, precision=stored, own_format="openvino")
        load_network = partial(_Compiled, options=compile_options(precision, threads))
        check = partial(check_size, folder)
        return cls(card, "cpu", precision, size, threads, exports, load_network, check)


class _Compiled:
    """A network that is compiled for each size of batch and number of outputs when first asked."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        self._path, self._options = path, options
        self._requests: dict[tuple[int, int], Any] = {}
        batch = next(iter(_core().read_model(path).inputs)).partial_shape[0]
        single = batch.is_static and batch.get_length() == 1
        self._run: Network = one_by_one(self._infer) if single else self._infer
        self._request(1, 1)

    def __call__(self, *images: Rgb, outputs: int = 1) -> Sequence[NDArray[np.float32]]:
        return self._run(*images, outputs=outputs)

    def _infer(self, *images: Rgb, outputs: int = 1) -> list[NDArray[np.float32]]:
        found = self._request(len(images[0]), outputs).infer(list(images), share_inputs=True)
        return [np.asarray(found[number]) for number in range(outputs)]

    def _request(self, batch: int, outputs: int) -> Any:
        if (batch, outputs) not in self._requests:
            model = _core().read_model(self._path)
            model.reshape(
                {
                    image: [batch, *(d.get_length() for d in list(image.partial_shape)[1:])]
                    for image in model.inputs
                }
            )
            # What only other outputs need is left out.
            wanted = openvino.Model(model.get_results()[:outputs], model.get_parameters())
            compiled = _core().compile_model(wanted, "CPU", self._options)
            self._requests[batch, outputs] = compiled.create_infer_request()
        return self._requests[batch, outputs]


def compile_options(precision: str, threads: int) -> dict[str, Any]:
    """What OpenVINO is told when it compiles a network; ``threads`` 0 is one for each core."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": _HINTS.get(precision, _HINTS["fp32"])[0],
        # Several nodes on one machine would be pinned to the same cores.
        "ENABLE_CPU_PINNING": False,
        **({"INFERENCE_NUM_THREADS": threads} if threads else {}),
        **_kept(precision),
    }


def _kept(precision: str) -> dict[str, str]:
    """Where compiled networks are kept; without such a folder they are compiled at every start.

    Each precision has its own: OpenVINO 2026.4 takes fp16 for fp32 there.
    """
    folder = cache_directory("openvino") / precision
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {}
    return {"CACHE_DIR": str(folder)}
