"""Which file an engine opens for each network."""

import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines import exported
from monodepth_ros.inference.engines.exported import find_exports
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.zoo.card import Export, load_card
from monodepth_ros.zoo.weight_files import file_sha256

SIZE = (64, 96)


@pytest.fixture
def asked(monkeypatch):
    """The kinds of export that were asked for, which are files of that name."""
    kinds = []

    def ensure(folder, card, wanted):
        kinds.extend((kind.network, kind.format, kind.precision) for kind in wanted)
        return [folder / kind.file("x") for kind in wanted]

    monkeypatch.setattr(exported, "ensure_exports", ensure)
    return kinds


def listing(model, *kinds):
    """The card with exports of these kinds."""
    (model / "x.file").write_bytes(b"x")
    files = {"x.file": file_sha256(model / "x.file")}
    entries = [
        Export(format=f, network=n, size=SIZE, precision=p, file="x.file", files=files)
        for n, f, p in kinds
    ]
    return load_card(model).model_copy(update={"exports": entries})


def test_onnx_without_exports_of_its_own(model, asked):
    files = find_exports(model, load_card(model), SIZE, "fp32", "openvino")
    assert asked == [("depth", "onnx", "fp32"), ("pose", "onnx", "fp32")]
    assert files["depth"].name == "x-depth-96x64-fp32.onnx"


def test_the_format_of_the_engine_where_the_card_lists_it(model, asked):
    card = listing(model, ("depth", "openvino", "fp32"), ("depth", "onnx", "fp32"))
    find_exports(model, card, SIZE, "fp32", "openvino")
    assert asked == [("depth", "openvino", "fp32"), ("pose", "onnx", "fp32")]


def test_a_pose_network_that_is_not_quantised_stays_in_single_precision(model, asked):
    card = listing(model, ("depth", "onnx", "int8"))
    find_exports(model, card, SIZE, "int8", "openvino")
    assert asked == [("depth", "onnx", "int8"), ("pose", "onnx", "fp32")]


def test_a_depth_network_that_is_not_quantised_is_an_error(model, exports_cache):
    with pytest.raises(UserError, match="no int8 export of its depth network for 96x64"):
        find_exports(model, load_card(model), SIZE, "int8")


def test_kinds_of_one_network_have_names_of_their_own():
    kinds = [
        ExportKind(format, network, SIZE, precision)
        for format in ("onnx", "openvino", "torch-export")
        for network in ("depth", "pose")
        for precision in ("fp32", "fp16", "int8")
    ]
    assert len({kind.file("demo") for kind in kinds}) == len(kinds) == 18
    assert ExportKind("openvino", "pose", SIZE).files("demo") == [
        "demo-pose-96x64-fp32.xml",
        "demo-pose-96x64-fp32.bin",
        "demo-pose-96x64-proof.npz",
    ]
