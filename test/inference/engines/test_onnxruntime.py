"""Devices of ONNX Runtime, and what it is told about each."""

import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine

onnxruntime = pytest.importorskip("onnxruntime", reason="install the extra [onnxruntime]")
engine = pytest.importorskip("monodepth_ros.inference.engines.onnxruntime")

ALL = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


@pytest.fixture
def built_for_gpus(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ALL)


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cpu", ("cpu", 0)),
        ("cuda", ("cuda", 0)),
        ("cuda:2", ("cuda", 2)),
        ("tensorrt", ("tensorrt", 0)),
        ("tensorrt:1", ("tensorrt", 1)),
    ],
)
def test_devices_by_name(built_for_gpus, device, expected):
    assert engine.parse_device(device) == expected


def test_a_device_that_the_library_is_built_without_says_what_to_install(monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ALL[2:])
    with pytest.raises(UserError, match="built without it: pip install onnxruntime-gpu"):
        engine.parse_device("cuda")


@pytest.mark.parametrize("device", ["gpu", "cpu:0", "cuda:x", "", "xcuda"])
def test_other_devices_are_refused(built_for_gpus, device):
    with pytest.raises(UserError, match="use auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N"):
        engine.parse_device(device)


def test_cuda_computes_in_full_single_precision_and_leaves_the_rest_to_the_cpu():
    first, second = engine.execution_providers("cuda", 1, "fp32")
    assert first == ("CUDAExecutionProvider", {"device_id": 1, "use_tf32": 0})
    assert second == ("CPUExecutionProvider", {})


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_tensorrt_keeps_its_engines_on_disk(precision, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (name, options), *rest = engine.execution_providers("tensorrt", 0, precision)
    assert [name, *(other for other, _ in rest)] == ALL
    folder = str(tmp_path / "monodepth_ros/tensorrt")
    assert options == {
        "device_id": 0,
        "trt_fp16_enable": precision == "fp16",
        "trt_int8_enable": precision == "int8",
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": folder,
        "trt_timing_cache_enable": True,
        "trt_timing_cache_path": folder,
    }


def test_a_gpu_that_is_not_there_is_an_error_and_for_auto_the_cpu(
    built_for_gpus, model, exports_cache
):
    if onnxruntime.get_device() == "GPU":
        pytest.skip("this ONNX Runtime has a GPU")
    with pytest.raises(UserError, match="cannot load CUDAExecutionProvider and would use CPU"):
        load_engine(model, "onnxruntime", "cuda")
    assert load_engine(model, "onnxruntime", "auto").device == "cpu"
