"""Weights come back as saved; damaged or foreign ones are refused with the file's name."""

import os
from contextlib import closing

import pytest
import torch
from safetensors.torch import save_file

from monodepth_ros.errors import UserError
from monodepth_ros.zoo.card import Uncertainty, load_card, save_card
from monodepth_ros.zoo.weight_files import UNCERTAINTY_FILE, file_sha256
from monodepth_ros.zoo.weights import (
    WEIGHTS_FILE,
    load_weights,
    save_model,
    save_weights,
    split_off_head,
)


def rehash(folder):
    """Make the card agree with the file, so that what is tested is the file's content."""
    files = {WEIGHTS_FILE: file_sha256(folder / WEIGHTS_FILE)}
    card = load_card(folder).model_copy(update={"files": files})
    save_card(folder, card)
    return card


def test_weights_come_back_exactly(model, states):
    loaded = load_weights(model, load_card(model))
    assert loaded.keys() == states.keys()
    for network, state in states.items():
        assert loaded[network].keys() == state.keys()
        for key, value in state.items():
            assert torch.equal(loaded[network][key], value), key


def test_half_precision_keeps_what_is_small_in_float32(tmp_path, card, states):
    states["depth"]["encoder.bn1.running_var"][0] = 1e6  # beyond half precision
    card = save_model(tmp_path, card, states, torch.float16)
    loaded = load_weights(tmp_path, card)["depth"]
    assert loaded["encoder.bn1.running_var"][0] == 1e6
    weight = states["depth"]["encoder.conv1.weight"]
    assert torch.equal(loaded["encoder.conv1.weight"], weight.half().float())
    numbers = sum(value.numel() for state in states.values() for value in state.values())
    assert (tmp_path / WEIGHTS_FILE).stat().st_size < 2.1 * numbers


def test_a_model_may_lack_a_pose_network(tmp_path, card, states):
    card = save_model(tmp_path, card, {"depth": states["depth"]})
    assert load_weights(tmp_path, card).keys() == {"depth"}


def test_weights_that_are_not_finite_are_not_saved(tmp_path, states):
    states["depth"]["encoder.conv1.weight"][0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match=r"depth\.encoder\.conv1\.weight"):
        save_weights(tmp_path / WEIGHTS_FILE, states)
    assert list(tmp_path.iterdir()) == []


def test_a_flipped_bit_is_found(model):
    path = model / WEIGHTS_FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"weights\.safetensors: damaged or replaced"):
        load_weights(model, load_card(model))


@pytest.mark.parametrize("kept", [0, 4, 100, 100_000])
def test_a_truncated_file_is_refused(model, kept):
    path = model / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=r"weights\.safetensors: not a readable"):
        load_weights(model, rehash(model))


def test_a_missing_file_is_named(model):
    (model / WEIGHTS_FILE).unlink()
    with pytest.raises(UserError, match=r"weights\.safetensors: missing"):
        load_weights(model, load_card(model))


def test_a_card_without_files_is_refused(model, card):
    with pytest.raises(UserError, match="lists no weights"):
        load_weights(model, card)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda s: s["depth"].pop("encoder.conv1.weight"), r"lacks encoder\.conv1\.weight"),
        (lambda s: s["depth"].update({"extra.weight": torch.ones(1)}), "unexpected extra.weight"),
        (lambda s: s["pose"].update({"decoder.pose.bias": torch.ones(6)}), r"shape \[6\].*\[12\]"),
        (lambda s: s.update({"depth": {}}), "no depth network"),
    ],
)
def test_another_set_of_tensors_is_refused(model, states, damage, complaint):
    damage(states)
    save_weights(model / WEIGHTS_FILE, states)
    with pytest.raises(UserError, match=complaint) as caught:
        load_weights(model, rehash(model))
    assert str(model / WEIGHTS_FILE) in str(caught.value)


def test_weights_of_another_architecture_are_refused(model):
    card = load_card(model).model_copy(update={"architecture": "monodepth2-resnet18"})
    with pytest.raises(UserError, match="monodepth2-resnet18"):
        load_weights(model, card)


def test_stored_nan_is_refused(model, states):
    states["depth"]["encoder.conv1.weight"][:] = float("inf")
    tensors = {f"{n}.{k}": v for n, state in states.items() for k, v in state.items()}
    save_file(tensors, model / WEIGHTS_FILE)
    with pytest.raises(UserError, match=r"encoder\.conv1\.weight holds values that are not finite"):
        load_weights(model, rehash(model))


def test_a_model_is_loaded_without_pytorchs_compiler(model, nursery):
    """Whose import takes as long as that of all else."""
    code = (
        "import sys; from pathlib import Path; from monodepth_ros.zoo.card import load_card\n"
        "from monodepth_ros.zoo.weights import load_weights\n"
        f"load_weights(Path({str(model)!r}), load_card(Path({str(model)!r})))\n"
        "print('torch._dynamo' in sys.modules)"
    )
    with closing(nursery.start(code, [], os.environ)) as child:
        output, _ = child.communicate(timeout=60)
    assert output == "False\n"


def test_the_head_for_uncertainty_has_a_file_of_its_own(uncertain_model, model, card, tmp_path):
    """The weights beside it are, byte for byte, those of the same model without it."""
    assert list(load_card(uncertain_model).files) == [WEIGHTS_FILE, UNCERTAINTY_FILE]
    assert file_sha256(uncertain_model / WEIGHTS_FILE) == file_sha256(model / WEIGHTS_FILE)
    loaded = load_weights(uncertain_model, load_card(uncertain_model))
    head, rest = split_off_head(loaded["depth"])
    assert rest.keys() == load_weights(model, load_card(model))["depth"].keys() and head
    save_model(tmp_path / "again", load_card(uncertain_model), loaded)
    again = load_weights(tmp_path / "again", load_card(tmp_path / "again"))
    assert all(torch.equal(again["depth"][key], value) for key, value in loaded["depth"].items())


def test_a_card_and_weights_must_agree_on_the_head(uncertain_model, model):
    card = load_card(model).model_copy(update={"uncertainty": Uncertainty(members=3)})
    with pytest.raises(UserError, match=r"lacks uncertainty\."):
        load_weights(model, card)
    card = load_card(uncertain_model).model_copy(update={"uncertainty": None})
    assert not split_off_head(load_weights(uncertain_model, card)["depth"])[0]  # it is left out
    card = load_card(uncertain_model).model_copy(update={"uncertainty": Uncertainty(members=4)})
    with pytest.raises(UserError, match=r"uncertainty\.\S+ has shape"):
        load_weights(uncertain_model, card)
