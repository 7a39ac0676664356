"""Depth Anything 3 as others export it to ONNX becomes a model folder.

Such a file takes normalised images and gives depth, and beside it how much of a pixel is sky. Nodes
in front and behind make it an export like our own, which every engine for ONNX runs: bytes in,
inverse depth out, 0 in the sky. Lin et al., "Depth Anything 3", 2025; what its outputs mean is
from the README and `compute_sky_mask` of ByteDance-Seed/Depth-Anything-3.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.base import Rgb
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.inference.export.proof import Proof, proof_images
from monodepth_ros.zoo.card import Export, ModelCard, Provenance, check_size, save_card
from monodepth_ros.zoo.weight_files import file_sha256

ARCHITECTURE = "depth-anything-3"
# Of each kind, whether metres follow from the focal length; else depth has an unknown factor.
KINDS: Mapping[str, bool] = {"depth-anything-3-metric": True, "depth-anything-3-mono": False}
LICENCE = "Apache-2.0"  # of DA3METRIC-LARGE and DA3MONO-LARGE
HOMEPAGE = "https://github.com/ByteDance-Seed/Depth-Anything-3"

# Metres are the focal length, in pixels of the network's image, times the output / 300.
_FOCAL_LENGTH = 300.0
_SKY = 0.3  # from this value of the sky output on
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # ImageNet's
_STD = np.array([0.229, 0.224, 0.225], np.float32)
# An operator, what it takes besides the one before (arrays, or tensors' names), its attributes.
Step = tuple[str, list[Any], dict[str, Any]]
_PREFIX = "monodepth_"  # of the nodes and tensors that are added


def import_depth_anything_3(
    source: Path, folder: Path, name: str, kind: str, size: tuple[int, int] | None = None
) -> ModelCard:
    """Make the model folder ``folder`` of the ONNX file ``source``; return its card.

    ``size`` (height, width) is needed where the file leaves it open. :class:`UserError` where the
    file is not such an export; nothing is written then.
    """
    if kind not in KINDS:
        raise UserError(f"--kind {kind!r}: use {' or '.join(KINDS)}")
    published = _Published(source, size)
    kinds = ExportKind("onnx", "depth", published.size)
    file, proof = kinds.file(name), kinds.proof(name)
    images, later = proof_images(published.size)
    expected = published.inverse_depth(images)
    with atomic_path(folder / file) as temporary:
        onnx.save(published.as_export(), temporary)
    Proof(images, later, expected).save(folder / proof)
    export = Export(
        format="onnx",
        network="depth",
        size=published.size,
        file=file,
        proof=proof,
        files={each: file_sha256(folder / each) for each in (file, proof)},
        made_with={"onnx": version("onnx")},
    )
    metric = {"scale": "metric", "focal_length": _FOCAL_LENGTH} if KINDS[kind] else {}
    card = ModelCard(
        name=name,
        licence=LICENCE,
        homepage=HOMEPAGE,
        provenance=Provenance(
            data="as its authors state: public data sets",
            recipe=f"an ONNX export by others, {source.name}",
            command=f"monodepth models import {source} --kind {kind} --name {name}",
        ),
        architecture=ARCHITECTURE,
        size=published.size,
        exports=[export],
        **metric,
    )
    save_card(folder, card)
    return card


class _Published:
    """A published export: ``size`` is its (height, width), ``batch`` its batch or None for any."""

    def __init__(self, source: Path, size: tuple[int, int] | None) -> None:
        self.source = source
        try:
            self._model = onnx.load(source)
        except Exception as error:  # protobuf and onnx raise what they like
            raise UserError(f"{source}: not an ONNX file that can be read: {error}") from None
        graph = self._model.graph
        stored = {tensor.name for tensor in graph.initializer}
        inputs = [each for each in graph.input if each.name not in stored]
        outputs = {output.name: output for output in graph.output}
        depth = next((name for name in ("depth", "predicted_depth") if name in outputs), None)
        shape = _shape(inputs[0]) if len(inputs) == 1 else []
        if depth is None or len(shape) not in (4, 5) or shape[-3] != 3:
            raise UserError(
                f"{source}: no export of Depth Anything 3: it takes one batch of images"
                " (batch, 3, height, width) and gives `depth`; this one takes"
                f" {', '.join(each.name for each in inputs)} and gives {', '.join(outputs)}"
            )
        self._input, self._depth = inputs[0], depth
        self._sky = "sky" if "sky" in outputs else None
        self._views = len(shape) == 5  # (batch, views, 3, height, width): one view
        self.batch = shape[0]
        self.size = _size(source, shape[-2:], size)
        try:
            check_size(ARCHITECTURE, self.size)
        except ValueError as error:
            raise UserError(f"{source}: {error}") from None

    def inverse_depth(self, images: Rgb) -> NDArray[np.float32]:
        """What the file itself gives for images ``(B, h, w, 3)``, 0 in the sky, float32."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what is wrong is said once
        try:
            session = onnxruntime.InferenceSession(self.source, options, ["CPUExecutionProvider"])
            return np.stack([self._run(session, image) for image in images])
        except Exception as error:  # libraries raise what they like
            reason = " ".join(str(error).split())
            raise UserError(f"{self.source}: does not run: {reason:.300}") from None

    def _run(self, session: Any, image: Rgb) -> NDArray[np.float32]:
        normalised = ((image / np.float32(255) - _MEAN) / _STD).transpose(2, 0, 1)
        wanted = helper.tensor_dtype_to_np_dtype(self._input.type.tensor_type.elem_type)
        given = normalised[None, None] if self._views else normalised[None]
        outputs = [self._depth, *([self._sky] if self._sky else [])]
        found = session.run(outputs, {self._input.name: given.astype(wanted)})
        depth, *sky = (each.reshape(self.size).astype(np.float32) for each in found)
        with np.errstate(divide="ignore"):
            inverse = 1 / depth
        return np.where(sky[0] < _SKY, inverse, np.float32(0)) if sky else inverse

    def as_export(self) -> onnx.ModelProto:
        """The file's model with what `_run` does as a part of its graph."""
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        graph = model.graph
        added = _Added()
        front = self._front(added)
        behind = self._behind(added)
        nodes = [*front, *graph.node, *behind]
        kept = [each for each in graph.input if each.name != self._input.name]
        for field, values in (("node", nodes), ("input", kept), ("output", [])):
            graph.ClearField(field)
            getattr(graph, field).extend(values)
        batch = self.batch or "batch"
        height, width = self.size
        shapes = {
            "input": ("image", TensorProto.UINT8, [batch, height, width, 3]),
            "output": ("inverse_depth", TensorProto.FLOAT, [batch, height, width]),
        }
        for field, (name, kind, shape) in shapes.items():
            made = helper.make_tensor_value_info(_PREFIX + name, kind, shape)
            getattr(graph, field).append(made)
        graph.initializer.extend(added.constants)
        return model

    def _front(self, added: _Added) -> list[onnx.NodeProto]:
        """From bytes ``(B, h, w, 3)`` to the input of the published graph."""
        kind = self._input.type.tensor_type.elem_type
        views = [1] if self._views else []
        return added.chain(
            _PREFIX + "image",
            self._input.name,
            [
                ("Cast", [], {"to": TensorProto.FLOAT}),
                ("Transpose", [], {"perm": [0, 3, 1, 2]}),
                ("Sub", [255 * _MEAN[:, None, None]], {}),
                ("Div", [255 * _STD[:, None, None]], {}),
                ("Cast", [], {"to": kind}),
                ("Reshape", [np.array([-1, *views, 3, *self.size])], {}),
            ],
        )

    def _behind(self, added: _Added) -> list[onnx.NodeProto]:
        """From the published depth and sky to inverse depth ``(B, h, w)``."""
        plane: list[Step] = [
            ("Cast", [], {"to": TensorProto.FLOAT}),
            ("Reshape", [np.array([-1, *self.size])], {}),
        ]
        known, inverse = _PREFIX + "known", _PREFIX + "inverse_depth"
        if self._sky is None:
            return added.chain(self._depth, inverse, [*plane, ("Reciprocal", [], {})])
        found = _PREFIX + "inverse"
        below: Step = ("Less", [np.array(_SKY, np.float32)], {})
        return [
            *added.chain(self._depth, found, [*plane, ("Reciprocal", [], {})]),
            *added.chain(self._sky, known, [*plane, below]),
            *added.chain(known, inverse, [("Where", [found, np.array(0, np.float32)], {})]),
        ]


class _Added:
    """Nodes that are put into a graph, and the constants they need."""

    def __init__(self) -> None:
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def chain(self, given: str, wanted: str, steps: list[Step]) -> list[onnx.NodeProto]:
        """Nodes from one tensor to another."""
        nodes = []
        for number, (operator, others, attributes) in enumerate(steps, 1):
            result = wanted if number == len(steps) else self._name()
            names = [each if isinstance(each, str) else self._constant(each) for each in others]
            nodes.append(
                helper.make_node(
                    operator, [given, *names], [result], name=self._name(), **attributes
                )
            )
            given = result
        return nodes

    def _constant(self, array: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(array, self._name()))
        return self.constants[-1].name

    def _name(self) -> str:
        self._count += 1
        return f"{_PREFIX}{self._count}"


def _shape(value: onnx.ValueInfoProto) -> list[int | None]:
    """The sides of a tensor, None for those that are open."""
    return [side.dim_value or None for side in value.type.tensor_type.shape.dim]


def _size(source: Path, sides: list[int | None], chosen: tuple[int, int] | None) -> tuple[int, int]:
    """The (height, width) of the file, or the chosen one where the file leaves it open."""
    height, width = sides
    if height is None or width is None:
        if chosen is None:
            raise UserError(f"{source}: leaves the size of images open; choose it with --size")
        return chosen
    if chosen not in (None, (height, width)):
        raise UserError(f"--size: {source} is for images of {width}x{height} alone")
    return height, width
