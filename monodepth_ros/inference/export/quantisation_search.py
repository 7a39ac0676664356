"""Which layers of a network eight bits are enough for: found by trying. Needs openvino and nncf."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from monodepth_ros.errors import Failure
from monodepth_ros.inference.engines.agreement import TOLERANCE, depth_ratio
from monodepth_ros.inference.engines.base import Rgb
from monodepth_ros.networks.registry import Ambiguity

_GOAL = 0.85 * TOLERANCE["int8"]  # frames that were not tried will differ more
_GROUPS = 8  # of layers that follow each other, tried in float together
_COMPARED = 24  # frames, evenly spaced
_LAYERS = ("Convolution", "MatMul")
# Eight bits cost these more than they gain; depthwise convolutions are the grouped ones.
_IN_FLOAT = (
    *("GroupConvolution", "Add", "Subtract", "Multiply", "Divide", "Power", "Maximum"),
    *("Sigmoid", "Concat", "Interpolate", "AvgPool", "ReduceMean"),
)


def search(
    source: Path,
    images: Sequence[Rgb],
    expected: Sequence[NDArray[np.float32]],
    say: Callable[[str], None],
    ambiguity: Ambiguity = "scale",
) -> tuple[bytes, bytes]:
    """The network of the ONNX file ``source`` in int8, as OpenVINO's .xml and .bin.

    ``images`` (1, h, w, 3) calibrate it and ``expected`` is their inverse depth in fp32. Where it
    differs too much, groups of layers stay in float, first those that help most for their work, as
    few as will do, half of all at most; :class:`Failure` where that does not help.
    """
    trials = _Trials(source, images, expected, ambiguity)
    network, error = trials.quantised([])
    say(f"all layers in int8: abs_rel {error:.4f}")
    if error <= _GOAL:
        return _files(network)
    groups = [list(group) for group in np.array_split(list(trials.work), _GROUPS)]
    work = [sum(trials.work[layer] for layer in group) for group in groups]
    gains = []
    for number, group in enumerate(groups, 1):
        found = trials.quantised(group)[1]
        gains.append((error - found) / work[number - 1])
        say(f"part {number} of {_GROUPS} in float: abs_rel {found:.4f}")
    in_float: list[str] = []
    for best in np.argsort(gains)[::-1][: _GROUPS // 2]:
        in_float += groups[best]
        network, error = trials.quantised(in_float)
        share = sum(trials.work[layer] for layer in in_float)
        say(f"{share:.0%} of the work in float: abs_rel {error:.4f}")
        if error <= _GOAL:
            return _files(network)
    raise Failure(
        f"int8 differs from fp32 by abs_rel {error:.2g} with half of the layers in float,"
        f" {_GOAL:.2g} was needed: more, or more typical, frames may help"
    )


class _Trials:
    """One network, quantised with other layers in float each time."""

    def __init__(
        self,
        source: Path,
        images: Sequence[Rgb],
        expected: Sequence[NDArray[np.float32]],
        ambiguity: Ambiguity,
    ) -> None:
        self._core = openvino.Core()
        self._model = openvino.convert_model(source)
        self._images, self._ambiguity = images, ambiguity
        step = -(-len(images) // _COMPARED)
        self._compared = list(zip(images[::step], expected[::step], strict=True))
        layers = [o for o in self._model.get_ordered_ops() if o.get_type_name() in _LAYERS]
        products = {layer.get_friendly_name(): _products(layer) for layer in layers}
        total = sum(products.values())
        # Attention has a range of its own, by which NNCF quantises what is before and behind it.
        kinds = {operation.get_type_name() for operation in self._model.get_ops()}
        self._attends = bool(kinds & {"Softmax", "ScaledDotProductAttention"})
        # Each layer's share of all work, in the order of the layers.
        self.work = {name: number / total for name, number in products.items()}

    def quantised(self, in_float: list[str]) -> tuple[Any, float]:
        """The network with these layers in float, and its abs_rel."""
        os.environ.setdefault("NNCF_CI", "1")  # it would report its use to its makers
        import nncf

        logging.getLogger("nncf").setLevel(logging.ERROR)
        with contextlib.redirect_stdout(io.StringIO()):
            network = nncf.quantize(
                self._model,
                nncf.Dataset(self._images),
                subset_size=len(self._images),
                preset=nncf.QuantizationPreset.MIXED,
                model_type=nncf.ModelType.TRANSFORMER if self._attends else None,
                ignored_scope=nncf.IgnoredScope(
                    names=in_float, types=list(_IN_FLOAT), validate=False
                ),
            )
        scale = float(np.exp(np.mean([np.log(ratio) for ratio in self._ratios(network)])))
        network = _scaled(network, scale)
        errors = [np.abs(ratio - 1).mean() for ratio in self._ratios(network)]
        return network, float(np.mean(errors))

    def _ratios(self, network: Any) -> list[NDArray[np.float64]]:
        """Of each frame that is compared, the depth of the network over that expected."""
        options = {"INFERENCE_PRECISION_HINT": "f32"}
        request = self._core.compile_model(network, "CPU", options).create_infer_request()
        return [
            depth_ratio(request.infer([image])[0], truth, self._ambiguity)
            for image, truth in self._compared
        ]


def _products(layer: Any) -> int:
    """Multiplications for one image: of a convolution its weights times pixels of its output, of a
    product of matrices the inner size times the values of its output."""
    second = [d.get_length() for d in layer.input(1).get_partial_shape()]
    output = [d.get_length() for d in list(layer.output(0).get_partial_shape())[1:]]
    if layer.get_type_name() == "Convolution":
        return int(np.prod([*second, *output[1:]]))
    inner = second[-1] if layer.get_attributes()["transpose_b"] else second[-2]
    return int(np.prod([inner, *output]))


def _scaled(network: Any, scale: float) -> Any:
    """Rounding errors of many layers have a mean: the output times ``scale`` is without it."""
    inverse = network.outputs[0].get_node().input_value(0)
    scaled = openvino.opset13.multiply(inverse, np.float32(scale))
    scaled.output(0).set_names({"inverse_depth"})
    others = network.outputs[1:]  # the log variance, where there is one
    return openvino.Model([scaled.output(0), *others], network.get_parameters(), "depth")


def _files(network: Any) -> tuple[bytes, bytes]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        openvino.save_model(network, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()
