"""Networks written as ONNX, OpenVINO or torch.export files, and their proofs. Needs torch."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.base import Rgb
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.inference.export.proof import Proof, proof_images
from monodepth_ros.networks.depth_decoder import DepthDecoder
from monodepth_ros.networks.depth_network import DepthNetwork
from monodepth_ros.networks.folding import fold_batch_norms
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_networks

_OPSET = 17
_LARGEST = 2**31 - 2**24  # bytes: the format's limit, less what the graph itself needs


class DepthGraph(nn.Module):
    """Images ``(B, h, w, 3)`` uint8 to inverse depth ``(B, h, w)`` float32, in 1/unit.

    Where the network tells a log variance, that is a second output, at the size of its head.
    """

    inputs = ("image",)

    def __init__(self, network: DepthNetwork) -> None:
        super().__init__()
        self.network, self.alone = network, network.exported_alone
        told = ("log_variance",) if network.tells_variance else ()
        self.outputs: tuple[str, ...] = ("inverse_depth", *told)

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Normalisation and layout are part of the graph; the finest head alone is used."""
        outputs = self.network.finest_with_variance(_to_float(image, self.network))
        told = tuple(output[:, 0].float() for output in outputs if output is not None)
        return told if len(told) > 1 else told[0]


class PoseGraph(nn.Module):
    """Two such images to ``(B, 6)`` float32: axis-angle, translation of ``T_second_first``."""

    inputs, outputs, alone = ("first", "second"), ("motion",), False

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """``first`` is the earlier one."""
        images = (_to_float(image, self.network) for image in (first, second))
        return torch.cat(self.network(*images), 1).float()


def _to_float(image: Tensor, network: nn.Module) -> Tensor:
    dtype = next(network.parameters()).dtype
    return image.permute(0, 3, 1, 2).to(dtype) / 255.0


Graph = DepthGraph | PoseGraph


def load_graph(folder: Path, part: str, size: tuple[int, int]) -> Graph:
    """The network of a model folder as it is exported, batch norms folded, for one image size."""
    card = load_card(folder)
    networks: dict[str, Any] = {**load_networks(folder, card)}
    if part not in networks:
        raise UserError(f"model {card.name} has no {part} network to export")
    network = networks[part]
    network.eval().requires_grad_(False)
    for module in network.modules():
        if isinstance(module, DepthDecoder):
            # Reflecting borders copies what is convolved: joining it before is one copy too many.
            module.apart = module.padding == "reflect"
    graph = DepthGraph(network) if part == "depth" else PoseGraph(network)
    fold_batch_norms(network, *[torch.zeros(1, 3, *size)] * len(graph.inputs))
    return graph.eval()  # exporting brings back the mode of the whole


def write_export(graph: Graph, kind: ExportKind, path: Path) -> None:
    """Write ``graph`` to ``path``; the file is complete or absent. Batches may have any size,
    unless the network is exported for one image.

    Precision fp16 stores weights and computes in half precision. An OpenVINO file has its weights
    beside it, as ``.bin``; in what it computes is chosen when it is loaded.
    """
    if kind.format == "openvino":
        _write_openvino(graph, kind, path)
        return
    write = _write_onnx if kind.format == "onnx" else _write_torch_export
    write(graph.half() if kind.precision == "fp16" else graph, kind.size, path)


@torch.inference_mode()
def make_proof(graph: Graph, size: tuple[int, int]) -> Proof:
    """What torch gives in fp32 for the fixed images."""
    images, later = proof_images(size)
    inputs = [torch.from_numpy(image) for image in (images, later)]
    outputs = graph(*inputs[: len(graph.inputs)])
    told = outputs if isinstance(outputs, tuple) else (outputs,)
    return Proof(images, later, *(output.numpy() for output in told))


def _example(graph: Graph, size: tuple[int, int]) -> tuple[Tensor, ...]:
    """A batch of three: one would be taken for the only size, and two is what proofs have."""
    count = 1 if graph.alone else 3
    return tuple(torch.zeros(count, *size, 3, dtype=torch.uint8) for _ in graph.inputs)


def _write_onnx(graph: Graph, size: tuple[int, int], path: Path) -> None:
    # The tracing exporter takes a tenth of the time of the one by torch.export, needs one package
    # less and works with every torch since 2.5; both graphs run equally fast. What a trace can get
    # wrong is a batch that it takes for a constant. It warns of some: here that is an error.
    batch = {name: {0: "batch"} for name in (*graph.inputs, *graph.outputs)}
    size_in_bytes = sum(p.numel() * p.element_size() for p in graph.parameters())
    if size_in_bytes > _LARGEST:
        raise UserError(
            f"its weights have {size_in_bytes / 1e9:.1f} GB, and an ONNX file at most 2:"
            " use engine torch"
        )
    with warnings.catch_warnings(), atomic_path(path) as temporary:
        warnings.simplefilter("ignore")
        if not graph.alone:
            warnings.simplefilter("error", torch.jit.TracerWarning)
        torch.onnx.export(
            graph,
            _example(graph, size),
            str(temporary),
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamic_axes=None if graph.alone else batch,
            opset_version=_OPSET,
            dynamo=False,
        )
        if not graph.alone:
            _check_batches(graph, size, temporary)


def _check_batches(graph: Graph, size: tuple[int, int], path: Path) -> None:
    """UserError unless the file takes other batches than the one that was traced.

    Whichever runtime is installed tells; without one, the engine that opens the file will.
    """
    runtime = next((name for name in ("onnxruntime", "openvino") if find_spec(name)), None)
    for batch in (1, 2) if runtime else ():
        images = [np.zeros((batch, *size, 3), np.uint8) for _ in graph.inputs]
        try:
            outputs = _run_by_onnxruntime if runtime == "onnxruntime" else _run_by_openvino
            right = all(len(output) == batch for output in outputs(path, images))
        except Exception:  # libraries raise what they like
            right = False
        if not right:
            raise UserError(f"traced, the network for {graph.outputs[0]} takes no batch of {batch}")


def _run_by_onnxruntime(path: Path, images: list[Rgb]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is said once
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    return session.run(None, dict(zip(names, images, strict=True)))


def _run_by_openvino(path: Path, images: list[Rgb]) -> Any:
    import openvino

    return openvino.Core().compile_model(path, "CPU")(images).values()


def _write_openvino(graph: Graph, kind: ExportKind, path: Path) -> None:
    import openvino

    with TemporaryDirectory() as folder:
        onnx, made = Path(folder) / "graph.onnx", Path(folder) / path.name
        _write_onnx(graph, kind.size, onnx)
        model = openvino.Core().read_model(onnx)
        openvino.save_model(model, made, compress_to_fp16=kind.precision == "fp16")
        for suffix in (".bin", ".xml"):  # the weights are there before what needs them
            with atomic_path(path.with_suffix(suffix)) as temporary:
                temporary.write_bytes(made.with_suffix(suffix).read_bytes())


def _write_torch_export(graph: Graph, size: tuple[int, int], path: Path) -> None:
    batch = tuple({0: torch.export.Dim("batch")} for _ in graph.inputs)
    shapes = None if graph.alone else batch
    program = torch.export.export(graph, _example(graph, size), dynamic_shapes=shapes)
    with atomic_path(path) as temporary:
        torch.export.save(program, temporary)
