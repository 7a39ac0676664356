"""A published folder becomes a model folder: what its card says, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from foundation import CONFIGS, tiny_published
from safetensors.torch import load_file, save_file

from monodepth_ros.errors import UserError
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.importers.huggingface import adopt
from monodepth_ros.zoo.weights import load_networks, load_weights

METRIC = {
    "depth_anything_metric",
    "dpt_dinov2",
    "glpn",
    "zoedepth",
    "zoedepth_two_domains",
    "depth_pro",
    "tipsv2_dpt",
    "chmv2",
}
# Of images of 640x480.
SIZES = {
    "depth_anything": (70, 98),
    "depth_anything_metric": (70, 98),
    "prompt_depth_anything": (70, 98),
    "dpt": (64, 64),
    "tipsv2_dpt": (56, 56),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_card_says_what_the_files_say(kind: str, tmp_path: Path) -> None:
    folder = tiny_published(kind, tmp_path / kind)
    adopt(folder, licence="MIT", homepage="https://example.org/tiny", revision="0123abc")
    card = load_card(folder)
    metric = kind in METRIC
    assert (card.name, card.architecture, card.output) == (kind, "huggingface", "inverse_depth")
    assert card.ambiguity == ("none" if metric else "scale_and_shift")
    assert card.scale == ("metric" if metric else "relative")
    assert (card.licence, card.homepage, card.revision) == (
        "MIT",
        "https://example.org/tiny",
        "0123abc",
    )
    assert card.usual_size == SIZES.get(kind, (480, 640))
    assert set(card.files) == {"config.json", "preprocessor_config.json", "model.safetensors"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5e6
    network = load_networks(folder, card)["depth"].eval()
    with torch.no_grad():
        found = network.finest(torch.rand(1, 3, *card.size_for((96, 130))))
    own = {"tipsv2_dpt": (32, 32)}  # smaller than its images, and enlarged only once
    assert found.shape[-2:] == own.get(kind, card.size_for((96, 130)))
    assert torch.isfinite(found).all()


def test_weights_are_those_of_the_file(tmp_path: Path) -> None:
    """By the names of today: files have those of transformers 4."""
    folder = tiny_published("depth_anything", tmp_path / "tiny")
    card = adopt(folder)
    stored = load_file(folder / "model.safetensors")
    loaded = load_weights(folder, load_card(folder))["depth"]
    query = stored["backbone.encoder.layer.2.attention.attention.query.weight"]
    assert torch.equal(loaded["model.backbone.encoder.layer.2.attention.q_proj.weight"], query)
    assert len(stored) == len(loaded) and card.licence.startswith("unknown")


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def rewritten(file: str, **values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**content, **values}))

    return change


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def broken(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no tensors")


def no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (without("preprocessor_config.json"), "lacks preprocessor_config.json: take it from where"),
        (without("config.json"), "lacks config.json"),
        (without("model.safetensors"), "lacks model.safetensors"),
        (pickled, "pytorch_model.bin is a pickle, which can run any code: take model.safetensors"),
        (broken, "not a readable safetensors file"),
        (no_json, "config.json: not a readable JSON file"),
        (rewritten("config.json", model_type="bert"), "model_type 'bert' is not one of depth_any"),
        (
            rewritten("preprocessor_config.json", image_processor_type="Other"),
            "image processor 'Other' is not one of DPTImageProcessor",
        ),
        (rewritten("preprocessor_config.json", resample=0), "resample 0: this package resizes"),
        (rewritten("preprocessor_config.json", size={"height": 70}), "lacks height or width"),
    ],
)
def test_what_cannot_be_adopted_is_told_in_a_line(
    harm: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    folder = tiny_published("depth_anything", tmp_path / "tiny")
    harm(folder)
    with pytest.raises(UserError, match=said) as told:
        adopt(folder)
    assert len(str(told.value).splitlines()) == 1 and str(folder) in str(told.value)
    assert not (folder / "card.yaml").exists()


def tensors_changed(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return harm


NORM = "backbone.layernorm.weight"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (tensors_changed(lambda t: t.pop(NORM)), f"lacks {NORM} \\(1 in all\\)"),
        (
            tensors_changed(lambda t: t.update({NORM: torch.ones(7)})),
            f"{NORM} has shape \\[7\\], its config.json needs \\[24\\]",
        ),
        (
            tensors_changed(lambda t: t.update({NORM: torch.full((24,), torch.nan)})),
            "backbone.layernorm.weight holds values that are not finite",
        ),
    ],
)
def test_weights_that_do_not_fit_are_told_in_a_line(
    harm: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    folder = tiny_published("depth_anything", tmp_path / "tiny")
    harm(folder)
    adopt(folder)
    with pytest.raises(UserError, match=said):
        load_networks(folder, load_card(folder))


def test_a_file_that_changes_later_is_noticed(tmp_path: Path) -> None:
    folder = tiny_published("depth_anything_metric", tmp_path / "tiny")
    adopt(folder)
    rewritten("config.json", max_depth=80)(folder)
    with pytest.raises(UserError, match=r"config.json: damaged or replaced"):
        load_networks(folder, load_card(folder))


def test_a_missing_library_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_published("depth_anything", tmp_path / "tiny")
    adopt(folder)
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install 'monodepth_ros\[foundation\]'"):
        load_networks(folder, load_card(folder))
