"""Engines on exported networks compute what torch computes, and never import it."""

import os
import subprocess
import sys

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.zoo.weights import save_model

EXPORTED = ["openvino", "onnxruntime"]


@pytest.fixture(params=EXPORTED)
def name(request, exports_cache):
    pytest.importorskip(request.param, reason=f"install the extra [{request.param}]")
    return request.param


def images(count=1, size=(64, 96)):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


@pytest.mark.parametrize("batch", [1, 3])
def test_it_equals_torch(model, name, batch):
    engine, reference = load_engine(model, name), load_engine(model, "torch", "cpu")
    assert engine.has_motion
    earlier, later = images(2 * batch).reshape(2, batch, 64, 96, 3)
    found, expected = (
        (e.inverse_depth(e.prepare(earlier)), e.motion(e.prepare(earlier), e.prepare(later)))
        for e in (engine, reference)
    )
    for ours, theirs, shape in zip(found, expected, [(batch, 64, 96), (batch, 6)], strict=True):
        assert ours.dtype == np.float32 and ours.shape == shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_outputs_do_not_change_when_the_next_frame_comes(model, name):
    engine = load_engine(model, name)
    first = engine.inverse_depth(engine.prepare(images()))
    copy = first.copy()
    engine.inverse_depth(engine.prepare(255 - images()))
    np.testing.assert_array_equal(first, copy)


def test_frames_are_resized_as_those_of_training(model, name):
    given = images(size=(117, 250))
    ours, theirs = (load_engine(model, e, "cpu").prepare(given).pixels() for e in (name, "torch"))
    difference = np.abs(ours.astype(int) - theirs)
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01


def test_frames_do_not_change_with_the_image(model, name):
    given = images()
    frames = load_engine(model, name).prepare(given)
    given[:] = 0
    np.testing.assert_array_equal(frames.pixels(), images())
    mirrored = frames.mirrored()
    np.testing.assert_array_equal(mirrored.pixels(), images()[:, :, ::-1])
    both = frames.joined([mirrored]).pixels()
    np.testing.assert_array_equal(both, np.concatenate([images(), images()[:, :, ::-1]]))


def test_another_size(model, name):
    engine = load_engine(model, name, size=(96, 64))
    assert engine.inverse_depth(engine.prepare(images())).shape == (1, 96, 64)


def test_it_describes_itself(model, name):
    described = load_engine(model, name, threads=1).describe()
    version = described.pop(name)
    assert version == sys.modules[name].__version__.split("-")[0]
    assert described == {"engine": name, "device": "cpu", "precision": "fp32", "threads": "1"}


def test_a_model_without_pose_refuses_motion(tmp_path, card, states, name):
    save_model(tmp_path, card, {"depth": states["depth"]})
    engine = load_engine(tmp_path, name)
    assert not engine.has_motion
    frames = engine.prepare(images())
    with pytest.raises(UserError, match="tiny has no pose network"):
        engine.motion(frames, frames)


def test_what_it_cannot_do_is_refused(model, name):
    with pytest.raises(UserError, match="device 'tpu'"):
        load_engine(model, name, "tpu")
    with pytest.raises(UserError, match="precision 'fp8': use auto, fp32, bf16"):
        load_engine(model, name, precision="fp8")
    with pytest.raises(UserError, match="no int8 export of its depth network for 96x64"):
        load_engine(model, name, precision="int8")


def test_damaged_weights_are_refused(model, name):
    with open(model / "weights.safetensors", "r+b") as file:
        file.write(b"damage")
    with pytest.raises(UserError, match=r"weights.safetensors: damaged or replaced"):
        load_engine(model, name)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_near_and_not_the_same(model, exports_cache, precision):
    openvino = pytest.importorskip("monodepth_ros.inference.engines.openvino")
    if precision not in openvino.possible_precisions():
        pytest.skip(f"the CPU has no {precision}")
    for _ in range(2):  # compiled, and as it was kept
        exact, rounded = (load_engine(model, "openvino", precision=p) for p in ("fp32", precision))
        found, expected = (e.inverse_depth(e.prepare(images())) for e in (rounded, exact))
        assert not np.array_equal(found, expected)
        np.testing.assert_allclose(found, expected, atol=0.2)  # of 10


def test_a_fresh_process_never_imports_torch(model, name):
    load_engine(model, name)  # the export is cached now
    code = (
        "import sys, numpy as np\n"
        "from monodepth_ros.inference.engines.registry import load_engine\n"
        f"engine = load_engine({str(model)!r}, {name!r})\n"
        "frames = engine.prepare(np.zeros((1, 48, 64, 3), np.uint8))\n"
        "assert engine.inverse_depth(frames).shape == (1, 64, 96)\n"
        "assert engine.motion(frames, frames).shape == (1, 6)\n"
        "assert not {'torch', 'onnx', 'lightning'} & sys.modules.keys()\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=os.environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
