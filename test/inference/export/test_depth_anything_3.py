"""Exports of Depth Anything 3 run through our engines, with metres from the focal length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="install the extra [onnxruntime]")
pytest.importorskip("onnxruntime", reason="install the extra [onnxruntime]")

from depth_anything_3_export import RED, published_export

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthRequest
from monodepth_ros.inference.engines.choice import Candidate, Job
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.engines.short_check import short_check
from monodepth_ros.inference.engines.trial import try_engines
from monodepth_ros.inference.export.depth_anything_3 import import_depth_anything_3
from monodepth_ros.zoo.card import load_card

METRIC, MONO = "depth-anything-3-metric", "depth-anything-3-mono"
SIZE = (28, 42)
# sky where (blue / 255 - 0.406) / 0.225 >= 0.3, from 120.74 on
SKY_BLUE = 121


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def raw_depth(rgb: np.ndarray) -> np.ndarray:
    """What the tiny network means: float64, NaN in the sky."""
    depth = RED + (rgb[..., 0] / 255.0 - 0.485) / 0.229
    return np.where(rgb[..., 2] < SKY_BLUE, depth, np.nan)


@pytest.fixture(params=["onnxruntime", "openvino"])
def engine(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param, reason=f"install the extra [{request.param}]")
    return str(request.param)


def imported(tmp_path: Path, kind: str = METRIC, chosen=None, **options) -> Path:
    source = published_export(tmp_path / "published.onnx", **options)
    import_depth_anything_3(source, tmp_path / "mine", "mine", kind, chosen)
    return tmp_path / "mine"


@pytest.mark.parametrize(
    "options", [{}, {"views": True}, {"batch": "batch"}, {"depth": "predicted_depth"}]
)
def test_metres_are_focal_length_times_output_over_300(
    tmp_path: Path, engine: str, options: dict
) -> None:
    """Of a camera of twice the size, whose focal length in the network's image is half its own."""
    folder = imported(tmp_path, **options)
    rgb = image()
    camera = PinholeCamera.centred(56, 84, 640.0)
    estimator = DepthEstimator(load_engine(folder, engine), output_size="network")
    found = estimator.estimate(rgb.repeat(2, 0).repeat(2, 1), camera)
    assert found.scale == "metric"
    seen = load_engine(folder, engine).prepare(rgb.repeat(2, 0).repeat(2, 1)[None]).pixels()[0]
    np.testing.assert_allclose(found.depth, 320 * raw_depth(seen) / 300, rtol=2e-5)


def test_without_a_camera_depth_is_relative(tmp_path: Path) -> None:
    found = DepthEstimator(load_engine(imported(tmp_path), "onnxruntime")).estimate(image())
    assert found.scale == "relative"
    np.testing.assert_allclose(found.depth, raw_depth(image()), rtol=2e-5)


def test_mono_gives_depth_of_an_unknown_factor(tmp_path: Path, engine: str) -> None:
    folder = imported(tmp_path, MONO, sky=False)
    card = load_card(folder)
    assert (card.output, card.ambiguity, card.scale) == ("inverse_depth", "scale", "relative")
    rgb = image()
    rgb[..., 2] = 0
    found = DepthEstimator(load_engine(folder, engine)).estimate(rgb)
    np.testing.assert_allclose(found.depth, raw_depth(rgb), rtol=2e-5)


def test_half_precision_inside_is_kept(tmp_path: Path) -> None:
    folder = imported(tmp_path, half=True)
    rgb = image()
    rgb[..., 2] = np.where(rgb[..., 2] < SKY_BLUE, 0, 255)  # clear of where rounding decides
    found = DepthEstimator(load_engine(folder, "onnxruntime")).estimate(rgb)
    np.testing.assert_allclose(found.depth, raw_depth(rgb), rtol=4e-3)


def test_a_batch_is_run_one_by_one(tmp_path: Path, engine: str) -> None:
    estimator = DepthEstimator(load_engine(imported(tmp_path), engine))
    found = estimator.estimate_batch([DepthRequest(image(k)) for k in range(3)])
    for k in range(3):
        np.testing.assert_allclose(found[k].depth, raw_depth(image(k)), rtol=2e-5)


def test_the_proof_is_what_the_published_file_gives(tmp_path: Path, engine: str) -> None:
    """Which is computed without the nodes that were added; the sky is left out of it."""
    folder = imported(tmp_path)
    loaded = load_engine(folder, engine)
    assert short_check(loaded, folder, ("depth", "pose")) == ""
    other = load_engine(folder, engine)
    other.inverse_depth = lambda frames: 1.001 * loaded.inverse_depth(frames)  # type: ignore
    assert "differs from torch fp32 by 0.001" in short_check(other, folder, ("depth",))


def test_auto_leaves_out_what_needs_weights(tmp_path: Path) -> None:
    job = Job(str(imported(tmp_path)), "cpu", SIZE, 1)
    candidates = [Candidate(name, "fp32") for name in ("torch", "onnxruntime")]
    torch, runtime = try_engines(job, candidates, lambda _: None)
    assert "is an export alone" in torch.refused and not runtime.refused


def test_what_it_cannot_do_is_said(tmp_path: Path) -> None:
    folder = imported(tmp_path)
    with pytest.raises(UserError, match="mine is an export alone: use engine onnxruntime or"):
        load_engine(folder, "torch")
    with pytest.raises(UserError, match="no export for 56x28 fp32.* it has 42x28 fp32"):
        load_engine(folder, "onnxruntime", size=(28, 56))


def test_a_size_is_chosen_where_the_file_leaves_it_open(tmp_path: Path) -> None:
    options = {"size": ("height", "width"), "batch": "batch"}
    with pytest.raises(UserError, match="leaves the size of images open; choose it with --size"):
        imported(tmp_path, **options)
    assert not (tmp_path / "mine").exists()
    folder = imported(tmp_path, chosen=SIZE, **options)
    found = DepthEstimator(load_engine(folder, "onnxruntime")).estimate(image())
    np.testing.assert_allclose(found.depth, raw_depth(image()), rtol=2e-5)
    with pytest.raises(UserError, match="published.onnx is for images of 42x28 alone"):
        imported(tmp_path, chosen=(42, 42))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no export of Depth Anything 3: .* gives disparity, sky"):
        imported(tmp_path, depth="disparity")
    with pytest.raises(UserError, match="42x30: depth-anything-3 needs multiples of 14"):
        imported(tmp_path, size=(30, 42))
    assert not (tmp_path / "mine").exists()
    (tmp_path / "text.onnx").write_text("no protobuf")
    with pytest.raises(UserError, match="text.onnx: not an ONNX file that can be read"):
        import_depth_anything_3(tmp_path / "text.onnx", tmp_path / "x", "x", METRIC)
    with pytest.raises(UserError, match="--kind 'other': use depth-anything-3-metric or"):
        imported(tmp_path, "other")
