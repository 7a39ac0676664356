"""The list of published models: every entry is complete, and says who may use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.zoo.available import available_models, find_available, read_available

HUGGINGFACE_FILES = ["config.json", "preprocessor_config.json", "model.safetensors"]
ENTRY = """
model:
  repository: some/body
  files: {model.onnx: {}}
  licence: MIT
  commercial_use: true
  homepage: https://example.org
  good_for: tests
"""


def test_every_model_has_the_files_of_its_kind() -> None:
    for name, model in available_models().items():
        if model.kind == "huggingface":
            assert list(model.files) == HUGGINGFACE_FILES, name
        else:
            assert [Path(file).suffix for file in model.files] == [".onnx"], name


def test_models_without_commercial_use_are_marked() -> None:
    allowed = {name for name, model in available_models().items() if model.commercial_use}
    assert {"depth-anything-v2-small", "depth-anything-v1-large", "zoedepth-nyu"} <= allowed
    free = ("Apache-2.0", "MIT")
    for name, model in available_models().items():
        assert (model.licence in free) == (name in allowed), name


def test_a_pinned_model_has_its_hashes() -> None:
    small = find_available("depth-anything-v2-small")
    assert small.revision == "5426e4f0f36572d16453bbda7a8389317b1bef99"
    assert all(file.sha256 for file in small.files.values())
    assert small.files["model.safetensors"].size == 99_173_660


def test_no_two_models_are_the_same() -> None:
    models = available_models().values()
    assert len({model.repository for model in models}) == len(models)
    hashes = [file.sha256 for model in models for file in model.files.values() if file.sha256]
    assert len(set(hashes)) == len(hashes)


def test_an_unknown_name_suggests_some() -> None:
    with pytest.raises(UserError, match=r"'zoedepth-nuy'; did you mean zoedepth-nyu"):
        find_available("zoedepth-nuy")
    with pytest.raises(UserError, match="`monodepth models list --available` lists them"):
        find_available("qqq")


@pytest.mark.parametrize(
    "wrong, told",
    [
        (("some/body", "somebody"), "model.repository"),
        (("model.onnx", "../model.onnx"), "model.files.../model.onnx"),
        (("model.onnx", "model.pth"), "model.files.model.pth"),
        (("{model.onnx: {}}", "{}"), "model.files"),
        (("https", "ftp"), "model.homepage"),
        (("MIT", "MIT\n  revision: main"), "model.revision"),
        (("{model.onnx: {}}", "{model.onnx: {sha256: abc}}"), "model.files.model.onnx.sha256"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, wrong: tuple[str, str], told: str) -> None:
    path = tmp_path / "available.yaml"
    path.write_text(ENTRY)
    assert list(read_available(path)) == ["model"]
    path.write_text(ENTRY.replace(*wrong))
    with pytest.raises(UserError) as error:
        read_available(path)
    assert str(error.value).startswith(f"{path}: {told}")
