"""Engines run published networks at sizes that follow from the image, and at fixed ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from foundation import CONFIGS, tiny_published
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthRequest
from monodepth_ros.inference.engines.agreement import depth_ratio
from monodepth_ros.inference.engines.registry import at_size, load_engine
from monodepth_ros.inference.engines.short_check import short_check
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.inference.export.make import make_export
from monodepth_ros.inference.export.proof import Proof
from monodepth_ros.inference.model_check import check_model
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.importers.huggingface import adopt

EXPORTED = ("onnxruntime", "openvino")


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def relative(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Depth Anything; its network for images of 4:3 is exported."""
    folder = tiny_published("depth_anything", tmp_path_factory.mktemp("models") / "tiny")
    adopt(folder)
    pytest.importorskip("onnx", reason="install the extra [onnxruntime]")
    return folder


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_type_is_exported_and_computes_the_same(kind: str, tmp_path: Path) -> None:
    """Each runtime reads the file for one image, and engines run a batch of two by it."""
    from monodepth_ros.inference.engines.exported import one_by_one

    runtime = pytest.importorskip("monodepth_ros.inference.engines.onnxruntime")
    other = pytest.importorskip("monodepth_ros.inference.engines.openvino")
    pytest.importorskip("onnx", reason="install the extra [onnxruntime]")
    folder = tiny_published(kind, tmp_path / kind)
    card = adopt(folder)
    export = ExportKind("onnx", "depth", card.size_for((84, 112)))
    make_export(folder, tmp_path, "x", export)
    path, proof = tmp_path / export.file("x"), Proof.load(tmp_path / export.proof("x"))
    assert proof.expected.std() > 0.001 * proof.expected.mean() > 0
    networks = [
        runtime._load_network(path, 1, [("CPUExecutionProvider", {})]),
        other._Compiled(path, other.compile_options("fp32", 1))._run,
    ]
    for network in networks:
        assert network.__qualname__.startswith(one_by_one.__name__)
        (found,) = network(proof.images)
        ratio = depth_ratio(found, proof.expected, card.ambiguity)
        assert ratio.size == found.size and np.abs(ratio - 1).max() < 1e-4


@pytest.mark.parametrize("name", EXPORTED)
def test_sizes_follow_from_images(name: str, relative: Path) -> None:
    """Each is exported when its first image comes, checked, and kept."""
    pytest.importorskip(name, reason=f"install the extra [{name}]")
    engine = load_engine(relative, name, "cpu", checked=("depth",))
    exact = load_engine(relative, "torch", "cpu")
    assert engine.size == (70, 98)  # of 640x480
    images = [picture(120, 160), picture(120, 160, 1), picture(160, 120, 2)]
    requests = [DepthRequest(image) for image in images]
    found = DepthEstimator(engine).estimate_batch(requests)
    expected = DepthEstimator(exact).estimate_batch(requests)
    for image, ours, theirs in zip(images, found, expected, strict=True):
        assert ours.disparity.shape == image.shape[:2]
        np.testing.assert_allclose(ours.disparity, theirs.disparity, rtol=1e-4, atol=1e-4)
    frames = engine.prepare(images[2][None])
    assert frames.size == (98, 70) == frames.mirrored().size
    assert engine.inverse_depth(frames).shape == (1, 98, 70)
    assert sorted(engine._loaded) == [("depth", (70, 98)), ("depth", (98, 70))]


@pytest.mark.parametrize("name", ["torch", *EXPORTED])
def test_a_size_on_request_is_fixed(
    name: str, relative: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(name, reason=f"install the extra [{name}]")
    engine = load_engine(relative, name, "cpu", size=(40, 58), checked=("depth",))
    assert engine.size == engine.card.size == (42, 56)
    for shape in ((120, 160), (160, 120)):
        frames = engine.prepare(picture(*shape)[None])
        assert frames.size == (42, 56)
        assert engine.inverse_depth(frames).shape == (1, 42, 56)
    said = capsys.readouterr().err
    if name == "torch":  # said once in a process
        assert "tiny: size 58x40 is rounded to 56x42" in said


def test_a_size_on_the_card_is_fixed(relative: Path, tmp_path: Path) -> None:
    card = load_card(relative).model_copy(update={"size": (42, 56)})
    assert card.size_for((480, 640)) == card.usual_size == (42, 56)
    assert at_size(card, None) is card
    with pytest.raises(UserError, match="14x14: huggingface needs at least 32 pixels"):
        at_size(card, (5, 5))


def test_what_differs_at_another_size_is_refused(
    relative: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino", reason="install the extra [openvino]")
    engine = load_engine(relative, "openvino", "cpu")
    monkeypatch.setattr(engine, "_check", lambda engine, size: "too far")
    with pytest.raises(UserError, match="^model tiny on openvino fp32: too far$"):
        engine.inverse_depth(engine.prepare(picture(160, 120)[None]))
    assert list(engine._loaded) == [("depth", (70, 98))]


def test_few_sizes_are_kept(relative: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of photographs has many; each network has its memory."""
    pytest.importorskip("openvino", reason="install the extra [openvino]")
    engine = load_engine(relative, "openvino", "cpu")
    monkeypatch.setattr(engine, "_check", lambda engine, size: "")
    monkeypatch.setattr(engine, "_exports", lambda size: {"depth": Path(f"{size}")})
    monkeypatch.setattr(engine, "_load_network", lambda path: path)
    for width in (70, 84, 112, 126, 140):
        engine._network("depth", (70, width))
    kept = [size[1] for _, size in engine._loaded]
    assert kept == [98, 112, 126, 140]


def test_a_sky_at_zero_has_no_depth_to_compare() -> None:
    """Inverse depths up to a shift are compared with one that is their mean."""
    expected = np.float32([0.0, 2.0, 4.0])
    assert np.allclose(depth_ratio(expected, expected, "scale_and_shift"), 1)
    found = np.float32([0.02, 2.0, 4.0])
    np.testing.assert_allclose(depth_ratio(found, expected, "scale_and_shift")[0], 2 / 2.02)
    assert len(depth_ratio(found, expected, "scale")) == 2


def test_bf16_is_not_refused_for_its_sky(relative: Path) -> None:
    engine = load_engine(relative, "torch", "cpu", "bf16")
    assert short_check(engine, relative, ("depth",)) == ""


def test_a_sound_model_passes_the_check_of_models(relative: Path) -> None:
    findings = check_model(relative, [("street", picture(120, 160))], "cpu", engine="torch")
    assert [finding.detail for finding in findings if not finding.passed] == []
