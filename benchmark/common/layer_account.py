"""What each kind of layer of an exported network costs OpenVINO, and what it has to do for that.

A contender of inference.py's ``--account``, in a process of its own: see turns.py. Layers are those
that OpenVINO runs, after it has fused what it can; times are of its own profile.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import openvino
from inference_measurement import textured
from turns import Answer, Handler, serve

from monodepth_ros.inference.engines.exported import check_precision, find_exports
from monodepth_ros.inference.engines.openvino import compile_options, possible_precisions
from monodepth_ros.zoo.card import load_card

_WEIGHTED = ("Convolution", "GroupConvolution")


def build(request: Answer) -> tuple[Answer, Handler]:
    """Compile the depth network with its profile on; a question is answered by all kinds.

    ``request`` has model (folder), precision, size (height, width) and threads. The answer has
    kind, milliseconds, operations and bytes of each; they are sums over the layers of one image.
    """
    check_precision(request["precision"], possible_precisions(), "openvino", "CPU")
    folder, size = Path(request["model"]), tuple(request["size"])
    path = find_exports(folder, load_card(folder), size, "fp32", "openvino")["depth"]
    core = openvino.Core()
    model = core.read_model(path)
    model.reshape([1, *size, 3])
    options = compile_options(request["precision"], request["threads"]) | {"PERF_COUNT": True}
    options.pop("CACHE_DIR", None)  # a network from there may have been compiled without a profile
    compiled = core.compile_model(model, "CPU", options)
    known = {op.friendly_name: op for op in model.get_ops() if op.get_type_name() in _WEIGHTED}
    work = {
        layer.friendly_name: (_operations(layer, known), _bytes(layer))
        for layer in compiled.get_runtime_model().get_ordered_ops()
    }
    run, image = compiled.create_infer_request(), textured(1, size)

    def account(question: Answer) -> Answer:
        """The median of ``question['runs']`` runs of each layer, summed over those of a kind."""
        times: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for _ in range(question["runs"]):
            run.infer([image])
            for layer in run.get_profiling_info():
                times[layer.node_type, layer.node_name].append(layer.real_time.total_seconds())
        kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for (kind, name), seconds in times.items():
            if any(seconds):  # others were fused into one that ran
                operations, moved = work[name]
                kinds[kind] += Counter(
                    milliseconds=1000 * median(seconds), operations=operations, bytes=moved
                )
        return dict(kinds)

    account({"runs": 3})
    return {}, account


def _operations(layer: Any, known: dict[str, Any]) -> int:
    """Multiplications and additions of the convolutions that a layer was made of."""
    names = layer.get_rt_info()["originalLayersNames"].value.split(",")
    return sum(_of_convolution(known[name]) for name in names if name in known)


def _of_convolution(op: Any) -> int:
    """By the sizes of its weights and its output: plain ones have (out, in, height, width)."""
    weights, output = (list(port.get_shape()) for port in (op.input(1), op.output(0)))
    taps = prod(weights[2:]) if op.get_type_name() == "GroupConvolution" else prod(weights[1:])
    return 2 * taps * prod(output)


def _bytes(layer: Any) -> int:
    """What it reads, weights included, and what it writes."""
    ports = [*layer.inputs(), *layer.outputs()]
    return sum(prod(port.get_shape()) * port.get_element_type().size for port in ports)


if __name__ == "__main__":
    serve(build)
