"""`monodepth models`: what there is, what it is, and whether it is sound."""

import json
import shutil

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from recordings import write_folder
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.inference.engines import agreement
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.networks.registry import build_depth_network, build_pose_network
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weights import load_weights, save_model


def run(*arguments):
    return CliRunner().invoke(app, ["models", *map(str, arguments)])


def add_samples(model):
    """A frame with structure, on which depth has to vary."""
    (model / "samples").mkdir()
    y, x = np.mgrid[0:64, 0:96]
    pixels = np.stack([255 * (x // 24 % 2), 4 * y, 2 * x], -1).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(model / "samples" / "one.jpg")


def test_list_shows_every_model_and_its_problem(model):
    shutil.copytree(model, model.parent / "broken")
    (model.parent / "broken" / "card.yaml").write_text("name: broken")
    result = run("list")
    assert result.exit_code == 0
    assert "monodepth2-slim" in result.stdout
    rows = {row["name"]: row for row in json.loads(run("list", "--json").stdout)}
    assert rows["demo"]["card"]["size"] == "96x64"
    assert rows["demo"]["problem"] is None
    assert "card.yaml" in rows["broken"]["problem"]


def test_list_of_published_models_says_who_may_use_them(models_folder):
    result = run("list", "--available")
    assert result.exit_code == 0
    assert "depth-anything-v2-small" in result.stdout and "commercial" in result.stdout
    rows = json.loads(run("list", "--available", "--json").stdout)
    assert rows["depth-anything-v2-large"]["licence"] == "CC-BY-NC-4.0"
    assert rows["depth-anything-v2-large"]["commercial_use"] is False
    assert rows["depth-anything-v2-small"]["commercial_use"] is True


def test_list_without_models_says_where_it_looked(models_folder):
    assert str(models_folder) in run("list").stdout.replace("\n", "")


def test_info_is_the_card_and_its_size(model):
    facts = yaml.safe_load(run("info", "demo").stdout)
    assert (facts["name"], facts["licence"]) == ("demo", "Apache-2.0")
    assert facts["folder"] == str(model)
    assert 3e6 < sum(facts["parameters"].values()) < 5e6
    assert json.loads(run("info", model, "--json").stdout)["card"]["size"] == "96x64"


def test_info_of_an_unknown_model_is_wrong_use(models_folder):
    result = run("info", "nonesuch")
    assert result.exit_code == 2
    assert "nonesuch" in result.stderr


def test_a_sound_model_passes(model):
    add_samples(model)
    result = run("check", "demo", "--json")
    assert result.exit_code == 0, result.stdout
    report = json.loads(result.stdout)
    assert report["passed"]
    assert [f["check"] for f in report["findings"]] == [
        "load",
        "random pixels",
        "one.jpg",
        "motion of random pixels",
    ]


def test_a_damaged_model_fails(model):
    path = model / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    result = run("check", "demo")
    assert result.exit_code == 1
    assert "FAILED load" in result.stdout
    assert "weights.safetensors" in result.stdout


@pytest.mark.parametrize("bias", [0.0, -30.0])
def test_a_collapsed_model_fails(model, bias):
    add_samples(model)
    card = load_card(model)
    states = load_weights(model, card)
    states["depth"]["decoder.disparity.0.weight"].zero_()
    states["depth"]["decoder.disparity.0.bias"].fill_(bias)
    save_model(model, card, states)
    result = run("check", "demo")
    assert result.exit_code == 1
    assert "FAILED one.jpg: collapsed" in result.stdout


def test_a_saturated_model_fails(model):
    add_samples(model)
    card = load_card(model)
    states = load_weights(model, card)
    states["depth"]["decoder.disparity.0.weight"].mul_(1e4)
    states["depth"]["decoder.disparity.0.bias"].zero_()
    save_model(model, card, states)
    result = run("check", "demo")
    assert result.exit_code == 1
    assert "end of the range" in result.stdout


def test_weights_that_overflow_fail(model):
    card = load_card(model)
    states = load_weights(model, card)
    states["depth"]["encoder.conv1.weight"].fill_(3e38)
    save_model(model, card, states)
    result = run("check", "demo")
    assert result.exit_code == 1
    assert "invalid" in result.stdout


def write_public_format(folder):
    """ResNet-18 weights as the four public files."""
    depth_net = build_depth_network("monodepth2-resnet18", 0.1, 100.0)
    pose_net = build_pose_network("monodepth2-resnet18")
    order = [f"{part}_upsampling.{i}" for i in range(4, -1, -1) for part in ("before", "after")]
    names = {name: f"decoder.{n}.conv.conv" for n, name in enumerate(order)}
    names |= {f"disparity.{i}": f"decoder.{10 + i}.conv" for i in range(4)}
    names |= {"squeeze": "net.0", "conv1": "net.1", "conv2": "net.2", "pose": "net.3"}

    def renamed(net):
        parts = [(*key.rsplit(".", 1), value) for key, value in net.state_dict().items()]
        return {f"{names[layer]}.{parameter}": value for layer, parameter, value in parts}

    def prefixed(net):
        return {f"encoder.{key}": value for key, value in net.state_dict().items()}

    folder.mkdir()
    encoder = prefixed(depth_net.encoder) | {"height": 64, "width": 96, "use_stereo": False}
    torch.save(encoder, folder / "encoder.pth")
    torch.save(renamed(depth_net.decoder), folder / "depth.pth")
    torch.save(prefixed(pose_net.encoder), folder / "pose_encoder.pth")
    torch.save(renamed(pose_net.decoder), folder / "pose.pth")


def test_imported_weights_are_a_sound_model_with_their_licence(models_folder, tmp_path):
    write_public_format(tmp_path / "mono_96x64")
    result = run("import", tmp_path / "mono_96x64", "--name", "mono_96x64")
    assert result.exit_code == 0, result.output
    assert "non-commercial" in result.stdout
    assert load_card(models_folder / "mono_96x64").size == (64, 96)
    assert run("check", "mono_96x64").exit_code == 0
    again = ("import", tmp_path / "mono_96x64", "--name", "mono_96x64", "--depth-only")
    assert run(*again).exit_code == 2
    assert run(*again, "--force").exit_code == 0
    folder = models_folder / "mono_96x64"
    assert load_weights(folder, load_card(folder)).keys() == {"depth"}


def test_import_refuses_without_touching_anything(models_folder, tmp_path, model):
    source = tmp_path / "weights"
    source.mkdir()
    torch.save({"a": torch.ones(1)}, source / "encoder.pth")
    before = sorted(path.name for path in models_folder.rglob("*"))
    for arguments, complaint in [
        ((source, "--name", "new"), "lacks depth.pth"),
        ((source, "--name", "../up"), "--name"),
        ((source, "--name", "demo"), "exists"),
        ((source, "--name", "new", "--size", "100x100"), "--size"),
        ((tmp_path / "none", "--name", "new"), "no such folder"),
    ]:
        result = run("import", *arguments)
        assert result.exit_code == 2
        assert complaint in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in models_folder.rglob("*")) == before


def test_export_writes_a_model_folder_that_an_engine_opens(model, tmp_path):
    pytest.importorskip("onnxruntime", reason="install the extra [onnxruntime]")
    out = tmp_path / "robot"
    result = run("export", str(model), "--size", "96x64", "--out", str(out))
    assert result.exit_code == 0, result.output
    names = [f"{load_card(model).name}-{network}-96x64-fp32.onnx" for network in ("depth", "pose")]
    assert result.stdout.split() == [str(out / name) for name in names]
    assert {export.file for export in load_card(out).exports} == set(names)
    engine = load_engine(out, "onnxruntime", size=(64, 96))
    frames = engine.prepare(np.zeros((1, 64, 96, 3), np.uint8))
    assert engine.inverse_depth(frames).shape == (1, 64, 96)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "caffe"], "format 'caffe': use onnx, openvino, torch-export"),
        (["--precision", "int8"], "precision 'int8': use fp32, fp16"),
        (["--size", "60x32"], "network size 60x32"),
    ],
)
def test_what_cannot_be_exported_is_refused(model, arguments, words):
    result = run("export", str(model), *arguments)
    assert result.exit_code == 2 and words in result.stderr


def test_an_export_beside_other_weights_is_refused(model, tmp_path):
    save_model(
        tmp_path, load_card(model), {"depth": load_weights(model, load_card(model))["depth"]}
    )
    result = run("export", str(model), "--out", str(tmp_path))
    assert result.exit_code == 2 and "holds other weights" in result.stderr


def test_check_compares_with_torch_in_fp32_on_real_frames(model, tmp_path):
    recording = write_folder(tmp_path / "recording")
    options = ("--data", tmp_path / "recording", "--every", "2", "--engine", "torch")
    result = run("check", "demo", *options, "--precision", "bf16", "--json")
    finding = json.loads(result.stdout)["findings"][-1]
    frames = len(range(0, len(recording), 2))
    assert finding["check"] == f"bf16 against torch fp32, {frames} frames"
    assert finding["passed"] and "; worst frame recording/" in finding["detail"]


def test_check_fails_where_the_engine_differs(model, tmp_path, monkeypatch):
    write_folder(tmp_path / "recording")
    monkeypatch.setitem(agreement.TOLERANCE, "bf16", 0.0)
    options = ("--data", tmp_path / "recording", "--engine", "torch", "--precision", "bf16")
    result = run("check", "demo", *options)
    assert result.exit_code == 1
    assert "FAILED bf16 against torch fp32, 2 frames: depth differs from torch" in result.stdout
