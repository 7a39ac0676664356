"""The ONNX Runtime engine: exported networks on CPUs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.base import Rgb
from monodepth_ros.inference.engines.exported import ExportedEngine, Network, check_precision
from monodepth_ros.inference.export.cached import ensure_export
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.zoo.card import ExportPrecision, ModelCard
from monodepth_ros.zoo.weight_files import networks_in

_ERRORS_ONLY = 3
_PRECISIONS = ("fp32", "int8")  # convolutions have no half precision on a CPU


class OnnxRuntimeEngine(ExportedEngine):
    """Runs a model's networks by ONNX Runtime."""

    _threads = 0

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
        """Load the model in ``folder``; see `base.Engine`."""
        if device not in ("auto", "cpu"):
            raise UserError(f"device {device!r}: use auto or cpu")
        stored: ExportPrecision = "int8" if precision == "int8" else "fp32"
        check_precision(precision, _PRECISIONS, "onnxruntime", "CPU")
        exports = {
            network: ensure_export(folder, card, ExportKind("onnx", network, size, stored))
            for network in networks_in(folder, card)
        }
        load_network = partial(_load_network, threads=threads)
        engine = cls(card, "cpu", precision, size, exports, load_network)
        engine._threads = threads
        return engine

    def describe(self) -> dict[str, str]:
        """Engine, device, precision, threads (0: one for each core), and its version."""
        return {
            "engine": "onnxruntime",
            "device": self.device,
            "precision": self.precision,
            "threads": str(self._threads),
            "onnxruntime": onnxruntime.__version__,
        }


def _load_network(path: Path, threads: int) -> Network:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    names = [image.name for image in session.get_inputs()]

    def run(*images: Rgb) -> NDArray[np.float32]:
        return np.asarray(session.run(None, dict(zip(names, images, strict=True)))[0])

    return run
