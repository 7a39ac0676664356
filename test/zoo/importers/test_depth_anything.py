"""Original checkpoints become what is published: the same tensors, and the right layers."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest
import torch
from foundation import tiny_published
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from monodepth_ros.cli.app import app
from monodepth_ros.errors import UserError
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.importers.depth_anything import convert_depth_anything
from monodepth_ros.zoo.importers.huggingface import adopt
from monodepth_ros.zoo.weights import load_networks


def original(published: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors as the authors' code names them, written down from its modules."""
    found = {}
    blocks = "backbone.encoder.layer"
    for name, value in published.items():
        if ".attention.attention." in name:
            continue
        for pattern, theirs in (
            ("backbone.embeddings.position_embeddings", "pretrained.pos_embed"),
            ("backbone.embeddings.patch_embeddings.projection", "pretrained.patch_embed.proj"),
            ("backbone.embeddings.", "pretrained."),
            ("backbone.layernorm", "pretrained.norm"),
            (f"{blocks}.(\\d+).attention.output.dense", "pretrained.blocks.\\1.attn.proj"),
            (f"{blocks}.(\\d+).layer_scale(\\d).lambda1", "pretrained.blocks.\\1.ls\\2.gamma"),
            (f"{blocks}.", "pretrained.blocks."),
            ("neck.reassemble_stage.layers.(\\d).projection", "depth_head.projects.\\1"),
            ("neck.reassemble_stage.layers.(\\d).resize", "depth_head.resize_layers.\\1"),
            ("head.conv1", "depth_head.scratch.output_conv1"),
            ("head.conv2", "depth_head.scratch.output_conv2.0"),
            ("head.conv3", "depth_head.scratch.output_conv2.2"),
        ):
            name = re.sub(pattern, theirs, name)
        for k in range(4):
            name = name.replace(f"neck.convs.{k}", f"depth_head.scratch.layer{k + 1}_rn")
            name = name.replace(
                f"neck.fusion_stage.layers.{k}", f"depth_head.scratch.refinenet{4 - k}"
            )
        name = name.replace("residual_layer", "resConfUnit").replace("convolution", "conv")
        name = re.sub(r"(refinenet\d)\.projection", r"\1.out_conv", name)
        found[name] = value
    for layer in range(4):
        for kind in ("weight", "bias"):
            parts = [
                published[f"{blocks}.{layer}.attention.attention.{part}.{kind}"]
                for part in ("query", "key", "value")
            ]
            found[f"pretrained.blocks.{layer}.attn.qkv.{kind}"] = torch.cat(parts)
    return found


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return tiny_published("depth_anything_metric", tmp_path / "published")


def saved(published: Path, path: Path) -> Path:
    torch.save(original(load_file(published / "model.safetensors")), path)
    return path


@pytest.mark.parametrize(
    ("name", "kind", "metric", "max_depth"),
    [
        ("depth_anything_v2_metric_hypersim_vits.pth", None, True, 20),
        ("depth_anything_v2_metric_vkitti_vits.pth", None, True, 80),
        ("depth_anything_v2_vits.pth", None, False, 1),
        ("depth_anything_vits14.pth", None, False, 1),
        ("mine.pth", "depth-anything-v2-metric-indoor", True, 20),
    ],
)
def test_tensors_and_meaning_are_those_published(
    name: str, kind: str | None, metric: bool, max_depth: int, published: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "made"
    convert_depth_anything(saved(published, tmp_path / name), folder, kind)
    made, theirs = (load_file(f / "model.safetensors") for f in (folder, published))
    assert made.keys() == theirs.keys()
    assert all(torch.equal(made[key], theirs[key]) for key in made)
    ours, wanted = (json.loads((f / "config.json").read_text()) for f in (folder, published))
    assert ours["max_depth"] == max_depth
    assert ours["depth_estimation_type"] == ("metric" if metric else "relative")
    for key in ("neck_hidden_sizes", "fusion_hidden_size", "head_hidden_size", "patch_size"):
        assert ours[key] == wanted[key]
    for key in ("hidden_size", "num_hidden_layers", "image_size", "out_indices", "mlp_ratio"):
        assert ours["backbone_config"][key] == wanted["backbone_config"][key]
    card = adopt(folder)
    assert card.scale == ("metric" if metric else "relative") and card.usual_size == (518, 686)
    assert load_networks(folder, load_card(folder)).keys() == {"depth"}


@pytest.mark.parametrize(("layers", "chosen"), [(12, [3, 6, 9, 12]), (24, [5, 12, 18, 24])])
def test_the_second_version_looks_at_other_layers(
    layers: int, chosen: list[int], published: Path, tmp_path: Path
) -> None:
    tensors = original(load_file(published / "model.safetensors"))
    more = {
        name.replace("blocks.3.", f"blocks.{number}."): value
        for number in range(4, layers)
        for name, value in tensors.items()
        if "blocks.3." in name
    }
    torch.save({**tensors, **more}, tmp_path / "x.pth")
    for version, expected in ((1, list(range(layers - 3, layers + 1))), (2, chosen)):
        kind = f"depth-anything-v{version}"
        convert_depth_anything(tmp_path / "x.pth", tmp_path / kind, kind)
        config = json.loads((tmp_path / kind / "config.json").read_text())
        assert config["backbone_config"]["out_indices"] == expected


def monodepth(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_the_command_imports_it(published: Path, tmp_path: Path) -> None:
    source = saved(published, tmp_path / "depth_anything_v2_vits.pth")
    done = monodepth("models", "import", source, "--name", "small", "--out", tmp_path / "models")
    assert done.exit_code == 0, done.output
    card = load_card(tmp_path / "models/small")
    assert (card.name, card.architecture) == ("small", "huggingface")
    assert card.ambiguity == "scale_and_shift"


class Harm:
    def __reduce__(self):
        return (print, ("harm",))


def test_what_is_none_is_told_in_a_line(published: Path, tmp_path: Path) -> None:
    unnamed = saved(published, tmp_path / "best.pth")
    with pytest.raises(UserError, match="say with --kind what it is, one of depth-anything-v1"):
        convert_depth_anything(unnamed, tmp_path / "x")
    path = tmp_path / "depth_anything_v2_vits.pth"
    path.write_bytes(pickle.dumps(Harm()))
    with pytest.raises(UserError, match="not a PyTorch weights file"):
        convert_depth_anything(path, tmp_path / "x")
    tensors = original(load_file(published / "model.safetensors"))
    for harm, said in (
        ({**tensors, "fc.weight": torch.ones(1)}, "which has no fc.weight"),
        ({n: t for n, t in tensors.items() if "pos_embed" not in n}, "lacks backbone.embeddings"),
    ):
        torch.save(harm, path)
        with pytest.raises(UserError, match=said):
            convert_depth_anything(path, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_pickle_beside_a_config_is_refused_with_what_to_do(
    published: Path, tmp_path: Path
) -> None:
    (published / "model.safetensors").rename(published / "pytorch_model.bin")
    done = monodepth("models", "import", published, "--name", "x", "--out", tmp_path / "models")
    assert done.exit_code == 2
    assert "pytorch_model.bin is a pickle, which can run any code" in done.stderr
