"""What a network says of its error leaves every engine with depth, in one run, and is checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from toy_engine import ToyEngine

from monodepth_ros.inference.engines.agreement import compare, stddev_difference, stddev_refusal
from monodepth_ros.inference.engines.base import DepthMaps, depth_and_variance
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.engines.short_check import short_check
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.inference.export.proof import Proof
from monodepth_ros.inference.export.write import load_graph, make_proof, write_export
from monodepth_ros.zoo.card import Uncertainty, load_card
from monodepth_ros.zoo.weights import build_network, load_weights

SIZE = (64, 96)
ENGINES = ["torch", "openvino", "onnxruntime"]


def images(count: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest, exports_cache: Any) -> str:
    pytest.importorskip(request.param, reason=f"install the extra [{request.param}]")
    found: str = request.param
    return found


@pytest.mark.parametrize("batch", [1, 3])
def test_it_is_the_networks(uncertain_model: Path, name: str, batch: int) -> None:
    card = load_card(uncertain_model)
    net = build_network("depth", card).eval()
    net.load_state_dict(load_weights(uncertain_model, card)["depth"])
    with torch.no_grad():
        seen = torch.from_numpy(images(batch)).permute(0, 3, 1, 2) / 255
        expected = [output[:, 0].numpy() for output in net.finest_with_variance(seen)]
    engine = load_engine(uncertain_model, name, "cpu")
    frames = engine.prepare(images(batch))
    found = depth_and_variance(engine, frames)
    assert found.log_variance is not None and expected[1].std() > 0.01
    for ours, theirs in zip(found, expected, strict=True):
        assert ours is not None and ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    # Without the variance the network is another program, which may round otherwise.
    np.testing.assert_allclose(engine.inverse_depth(frames), found.inverse_depth, rtol=1e-5)


def test_a_model_without_it_has_none(model: Path, name: str) -> None:
    engine = load_engine(model, name, "cpu")
    frames = engine.prepare(images())
    assert depth_and_variance(engine, frames).log_variance is None
    assert engine.depth_and_variance(frames).log_variance is None  # type: ignore[attr-defined]


def test_short_check_passes_what_is_equal_and_refuses_what_is_not(
    uncertain_model: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load_engine(uncertain_model, name, "cpu")
    assert short_check(engine, uncertain_model, ["depth"]) == ""
    whole = type(engine).depth_and_variance  # type: ignore[attr-defined]

    def wider(self: Any, frames: Any) -> DepthMaps:
        inverse, log_variance = whole(self, frames)
        return DepthMaps(inverse, log_variance + np.float32(0.02))

    def farther(self: Any, frames: Any) -> DepthMaps:
        inverse, log_variance = whole(self, frames)
        return DepthMaps(0.99 * inverse, log_variance)

    exact = (name, engine.precision) == ("torch", "fp32")  # what all others are compared with
    for wrong, told in (
        (wider, "standard deviation differs from torch fp32 by 0.01"),
        (farther, "depth differs from torch fp32 by 0.005"),  # in one of two ways to ask for it
    ):
        monkeypatch.setattr(type(engine), "depth_and_variance", wrong)
        assert exact or short_check(engine, uncertain_model, ["depth"]).startswith(told)


def test_nobody_computes_a_variance_that_nobody_asks_for(
    uncertain_model: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load_engine(uncertain_model, name, "cpu")
    monkeypatch.setattr(type(engine), "depth_and_variance", None)
    assert engine.inverse_depth(engine.prepare(images())).shape == (1, *SIZE)


def test_cuda_graphs_and_compilation_take_both_outputs(uncertain_model: Path) -> None:
    pytest.importorskip("torch._inductor")
    from monodepth_ros.inference.engines.torch_faster import CompiledTorchEngine

    class Wrapping(CompiledTorchEngine):
        def _faster(self, network: Any) -> Any:
            return torch.compile(network, backend="eager", dynamic=False)

    engine = Wrapping.load(uncertain_model, load_card(uncertain_model), "cpu", "fp32", SIZE, 0)
    plain = load_engine(uncertain_model, "torch", "cpu")
    found, expected = (depth_and_variance(e, e.prepare(images(2))) for e in (engine, plain))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["torch", "torch-graphs", "torch-compiled"])
def test_cuda_equals_cpu(uncertain_model: Path, name: str) -> None:
    engine, plain = load_engine(uncertain_model, name, "cuda"), load_engine(uncertain_model)
    for batch in (1, 3):
        found, expected = (depth_and_variance(e, e.prepare(images(batch))) for e in (engine, plain))
        assert stddev_difference(found.log_variance, expected.log_variance) < 1e-3


@pytest.mark.parametrize("format", ["onnx", "torch-export"])
def test_exports_have_a_second_output(uncertain_model: Path, tmp_path: Path, format: Any) -> None:
    graph = load_graph(uncertain_model, "depth", SIZE)
    assert graph.outputs == ("inverse_depth", "log_variance")
    write_export(graph, ExportKind(format, "depth", SIZE), tmp_path / "x")
    with torch.no_grad():
        expected = [output.numpy() for output in graph(torch.from_numpy(images(2)))]
    if format == "onnx":
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(tmp_path / "x")
        assert [output.name for output in session.get_outputs()] == list(graph.outputs)
        found = session.run(None, {"image": images(2)})
    else:
        module = torch.export.load(tmp_path / "x").module()
        found = [output.detach().numpy() for output in module(torch.from_numpy(images(2)))]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_proof_holds_it(uncertain_model: Path, tmp_path: Path) -> None:
    make_proof(load_graph(uncertain_model, "depth", SIZE), SIZE).save(tmp_path / "proof.npz")
    proof, engine = Proof.load(tmp_path / "proof.npz"), load_engine(uncertain_model, "torch", "cpu")
    assert proof.log_variance is not None and proof.log_variance.shape == (2, 8, 12)
    assert proof.deviation(engine) < 1e-4
    assert proof.stddev_deviation(engine) == pytest.approx(0.0, abs=1e-4)
    wrong = replace(proof, log_variance=proof.log_variance + 0.2)
    assert wrong.stddev_deviation(engine) == pytest.approx(1 - np.exp(-0.1), abs=1e-4)


def test_a_proof_without_it_compares_none(model: Path, tmp_path: Path) -> None:
    make_proof(load_graph(model, "depth", SIZE), SIZE).save(tmp_path / "proof.npz")
    proof = Proof.load(tmp_path / "proof.npz")
    assert proof.log_variance is None
    assert proof.stddev_deviation(load_engine(model, "torch", "cpu")) is None


class TellingToy(ToyEngine):
    """Says the same variance everywhere."""

    log_variance = -2.0

    def depth_and_variance(self, frames: Any) -> DepthMaps:
        inverse = self.inverse_depth(frames)
        return DepthMaps(inverse, np.full_like(inverse, self.log_variance))


class WiderToy(TellingToy):
    log_variance = -2.0 + 2 * np.log(1.3)


def test_an_engine_may_have_nothing_to_say(card: Any) -> None:
    """Only where the card says that the weights have it, and the engine can give it."""
    uncertain = card.model_copy(update={"uncertainty": Uncertainty(members=2)})
    for kind, its, tells in (
        (ToyEngine, uncertain, False),
        (TellingToy, card, False),
        (TellingToy, uncertain, True),
    ):
        engine = kind(its, "fp32", SIZE)
        frames = engine.prepare(images())
        found = depth_and_variance(engine, frames)
        assert (found.log_variance is not None) is tells
        np.testing.assert_array_equal(found.inverse_depth, engine.inverse_depth(frames))


def test_agreement_is_of_standard_deviations(card: Any) -> None:
    uncertain = card.model_copy(update={"uncertainty": Uncertainty(members=2)})
    exact = TellingToy(uncertain, "fp32", SIZE)
    frames = [("one", images()[0]), ("two", images(2)[1])]
    assert compare(exact, exact, frames).stddev == 0.0
    wider = compare(WiderToy(uncertain, "int8", SIZE), exact, frames)
    assert wider.stddev == pytest.approx(0.3, rel=1e-5)
    assert wider.refusal == "standard deviation differs from torch fp32 by 0.3, int8 may by 0.25"
    silent = compare(ToyEngine(uncertain, "int8", SIZE), exact, frames)
    assert silent.stddev == np.inf and "by inf" in silent.refusal
    plain = ToyEngine(card, "fp32", SIZE)
    assert compare(plain, plain, frames).stddev is None


def test_what_is_not_finite_is_refused() -> None:
    expected = np.zeros((1, 2, 2), np.float32)
    assert stddev_difference(np.full_like(expected, np.nan), expected) == np.inf
    assert stddev_difference(expected + np.float32(2 * np.log(1.5)), expected) == pytest.approx(0.5)
    assert stddev_refusal("fp32", np.inf).startswith("standard deviation differs")
    assert stddev_refusal("bf16", 0.2) == stddev_refusal("fp32", None) == ""
