"""What is said of weight files without torch, and of exports beside them."""

import pytest
from pydantic import ValidationError

from monodepth_ros.errors import UserError
from monodepth_ros.zoo.card import Export, load_card, save_card
from monodepth_ros.zoo.weight_files import file_sha256, networks_in
from monodepth_ros.zoo.weights import WEIGHTS_FILE, save_model

HASH = "0" * 64


def entry(**values):
    known = {"format": "onnx", "network": "depth", "size": "96x64", "file": "x.onnx"}
    return Export.model_validate({**known, "files": {"x.onnx": HASH}, **values})


def test_networks_of_a_model(tmp_path, model, card, states):
    assert networks_in(model, load_card(model)) == ["depth", "pose"]
    only_depth = save_model(tmp_path, card, {"depth": states["depth"]})
    assert networks_in(tmp_path, only_depth) == ["depth"]


def test_damaged_or_missing_weights_are_named(model):
    card = load_card(model)
    (model / WEIGHTS_FILE).write_bytes(b"damage")
    with pytest.raises(UserError, match=r"weights.safetensors: damaged or replaced"):
        networks_in(model, card)
    changed = {WEIGHTS_FILE: file_sha256(model / WEIGHTS_FILE)}
    with pytest.raises(UserError, match="not a readable safetensors file"):
        networks_in(model, card.model_copy(update={"files": changed}))
    (model / WEIGHTS_FILE).unlink()
    with pytest.raises(UserError, match="weights.safetensors: missing"):
        networks_in(model, card)
    with pytest.raises(UserError, match="lists no weights file"):
        networks_in(model, card.model_copy(update={"files": {}}))


def test_exports_come_back_from_the_card(model):
    listed = entry(precision="int8", proof="p.npz", files={"x.onnx": HASH, "p.npz": HASH})
    save_card(model, load_card(model).model_copy(update={"exports": [listed]}))
    assert "size: 96x64" in (model / "card.yaml").read_text().split("exports:")[1]
    assert load_card(model).exports == [listed]


@pytest.mark.parametrize(
    "values",
    [
        {"files": {}},
        {"proof": "p.npz"},
        {"file": "../x.onnx", "files": {"../x.onnx": HASH}},
        {"precision": "fp8"},
        {"format": "caffe"},
    ],
)
def test_an_export_that_cannot_be_is_refused(values):
    with pytest.raises(ValidationError):
        entry(**values)


def test_other_weights_have_none_of_the_former_exports(model, states):
    card = load_card(model).model_copy(update={"exports": [entry()]})
    assert save_model(model, card, states).exports == [] == load_card(model).exports
