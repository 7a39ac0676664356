"""A tiny ONNX file with the inputs and outputs of published exports of Depth Anything 3."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RED = 4.0  # depth is this plus the normalised red channel; sky is the normalised blue one


def published_export(
    path: Path,
    size: Sequence[int | str] = (28, 42),
    batch: int | str = 1,
    views: bool = False,
    sky: bool = True,
    depth: str = "depth",
    half: bool = False,
) -> Path:
    """Write it; ``views``: images have an axis more. Sides that are words are left open."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    dtype = np.float16 if half else np.float32
    axis = 2 if views else 1
    image = [batch, *([1] if views else []), 3, *size]
    plane = [batch, *([1] if views else []), 1, *size]
    constants = {
        "red": np.array([0]),
        "blue": np.array([2]),
        "offset": np.array(RED, dtype),
    }
    nodes = [
        helper.make_node("Gather", ["image", "red"], ["r"], axis=axis),
        helper.make_node("Add", ["r", "offset"], [depth]),
        helper.make_node("Gather", ["image", "blue"], ["sky"], axis=axis),
    ]
    outputs = [helper.make_tensor_value_info(depth, kind, plane)]
    if sky:
        outputs.append(helper.make_tensor_value_info("sky", kind, plane))
    graph = helper.make_graph(
        nodes if sky else nodes[:2],
        "depth_anything_3",
        [helper.make_tensor_value_info("image", kind, image)],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
