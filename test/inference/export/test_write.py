"""What exported files are: their inputs and outputs, any batch, nothing that is not needed."""

import numpy as np
import pytest
import torch
from torch import nn

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.export import write as write_module
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.inference.export.model_folder import export_model
from monodepth_ros.inference.export.proof import Proof, proof_images
from monodepth_ros.inference.export.write import DepthGraph, load_graph, make_proof, write_export
from monodepth_ros.networks.depth_network import DepthNetwork, DepthOutput
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights

SIZE = (64, 96)


def images(count):
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)


def expected(graph, batch):
    inputs = [torch.from_numpy(images(2 * batch)[i::2]) for i in range(len(graph.inputs))]
    with torch.no_grad():
        return [i.numpy() for i in inputs], graph(*inputs).numpy()


@pytest.mark.parametrize("network", ["depth", "pose"])
def test_onnx_of_any_batch_equals_torch(model, tmp_path, network):
    onnxruntime = pytest.importorskip("onnxruntime")
    graph = load_graph(model, network, SIZE)
    write_export(graph, ExportKind("onnx", network, SIZE), tmp_path / "x.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    names = [given.name for given in session.get_inputs()]
    assert names == {"depth": ["image"], "pose": ["first", "second"]}[network]
    assert [given.type for given in session.get_inputs()] == ["tensor(uint8)"] * len(names)
    assert session.get_inputs()[0].shape == ["batch", *SIZE, 3]
    for batch in (1, 2, 5):
        inputs, output = expected(graph, batch)
        (found,) = session.run(None, dict(zip(names, inputs, strict=True)))
        np.testing.assert_allclose(found, output, rtol=1e-4, atol=1e-6)


def test_onnx_holds_the_finest_head_alone_and_no_batch_norm(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    write_export(
        load_graph(model, "depth", SIZE), ExportKind("onnx", "depth", SIZE), tmp_path / "x"
    )
    graph = onnx.load(tmp_path / "x").graph
    operations = [node.op_type for node in graph.node]
    assert "BatchNormalization" not in operations
    assert operations.count("Sigmoid") == 1 and len(graph.output) == 1


def test_half_precision_halves_the_file_and_keeps_uint8_and_float32(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    for precision in ("fp32", "fp16"):
        graph = load_graph(model, "depth", SIZE)
        write_export(graph, ExportKind("onnx", "depth", SIZE, precision), tmp_path / precision)
    full, half = ((tmp_path / p).stat().st_size for p in ("fp32", "fp16"))
    assert half < 0.55 * full
    graph = onnx.load(tmp_path / "fp16").graph
    types = [v.type.tensor_type.elem_type for v in (graph.input[0], graph.output[0])]
    assert types == [onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT]


@pytest.mark.parametrize("network", ["depth", "pose"])
def test_torch_export_of_any_batch_equals_torch(model, tmp_path, network):
    graph = load_graph(model, network, SIZE)
    write_export(graph, ExportKind("torch-export", network, SIZE), tmp_path / "x.pt2")
    module = torch.export.load(tmp_path / "x.pt2").module()
    for batch in (1, 3):
        inputs, output = expected(graph, batch)
        found = module(*map(torch.from_numpy, inputs))
        np.testing.assert_allclose(found, output, rtol=1e-5, atol=1e-7)


class FixedBatch(DepthNetwork):
    """Reads its batch in a way that a trace keeps, as a number."""

    def __init__(self, batch):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.batch = batch

    def forward(self, image):
        return DepthOutput([self.scale.expand(self.batch(image), 1, *SIZE)])


@pytest.mark.parametrize(
    ("batch", "error", "words"),
    [
        (len, torch.jit.TracerWarning, "Using len to get tensor shape"),
        (lambda image: 3, UserError, "takes no batch of 1$"),
    ],
)
def test_a_batch_that_is_fixed_is_an_error_and_leaves_no_file(tmp_path, batch, error, words):
    pytest.importorskip("onnxruntime")
    kind = ExportKind("onnx", "depth", SIZE)
    with pytest.raises(error, match=words):
        write_export(DepthGraph(FixedBatch(batch)), kind, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_proof_tells_equal_from_wrong(model, tmp_path):
    engine = load_engine(model, "torch", "cpu")
    for network in ("depth", "pose"):
        make_proof(load_graph(model, network, SIZE), SIZE).save(tmp_path / "proof.npz")
        proof = Proof.load(tmp_path / "proof.npz")
        assert proof.deviation(engine) < 1e-4
        wrong = Proof(proof.images, proof.later, proof.expected * np.float32(1.1))
        assert wrong.deviation(engine) == pytest.approx(0.1, abs=0.02)


def test_proof_images_are_fixed_and_show_something():
    first, later = proof_images((128, 192))
    assert first.shape == later.shape == (2, 128, 192, 3) and first.dtype == np.uint8
    assert first.std() > 30 and not np.array_equal(*first)
    np.testing.assert_array_equal(first[:, :, 3:], later[:, :, :-3])


def test_a_model_folder_takes_exports_one_after_the_other(model, tmp_path):
    pytest.importorskip("openvino")
    out = tmp_path / "robot"
    for format, size in (("onnx", SIZE), ("onnx", (96, 64)), ("openvino", SIZE), ("onnx", SIZE)):
        export_model(model, out, [ExportKind(format, "depth", size)])
    card = load_card(out)
    assert card.name == "robot" and load_weights(out, card).keys() == {"depth", "pose"}
    assert [(e.format, e.size) for e in card.exports] == [
        ("onnx", (96, 64)),
        ("openvino", SIZE),
        ("onnx", SIZE),
    ]
    assert sorted(path.name for path in out.iterdir()) == [
        "card.yaml",
        "tiny-depth-64x96-fp32.onnx",
        "tiny-depth-64x96-proof.npz",
        "tiny-depth-96x64-fp32.bin",
        "tiny-depth-96x64-fp32.onnx",
        "tiny-depth-96x64-fp32.xml",
        "tiny-depth-96x64-proof.npz",
        "weights.safetensors",
    ]
    engine = load_engine(out, "openvino")
    frames = engine.prepare(images(1))
    reference = load_engine(model, "torch", "cpu")
    depth = reference.inverse_depth(reference.prepare(images(1)))
    np.testing.assert_allclose(engine.inverse_depth(frames), depth, rtol=1e-4)


def test_weights_that_no_onnx_file_holds_are_told(model, tmp_path, monkeypatch):
    graph = load_graph(model, "depth", SIZE)
    monkeypatch.setattr(write_module, "_LARGEST", 1000)
    with pytest.raises(UserError, match="an ONNX file at most 2: use engine torch"):
        write_export(graph, ExportKind("onnx", "depth", SIZE), tmp_path / "x")
    assert not (tmp_path / "x").exists()
