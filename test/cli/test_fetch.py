"""`monodepth models fetch`: from the list of published models to a model that runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from foundation import tiny_published
from hub_server import COMMIT, Hub, serving
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.weight_files import file_sha256

pytest.importorskip("huggingface_hub", reason="install the extra [foundation]")
pytest.importorskip("transformers", reason="install the extra [foundation]")

PUBLISHED = "config.json: {}, preprocessor_config.json: {}, model.safetensors: {}"
LISTED = """
{name}:
  repository: somebody/depth-hf
  kind: {kind}
  files: {{{files}}}
  licence: {licence}
  commercial_use: {free}
  homepage: https://example.org/depth
  good_for: tests
"""


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["models", *map(str, arguments)])
    return result.exit_code, " ".join(result.stdout.split()), " ".join(result.stderr.split())


def _listed(name: str, licence: str, files: str, kind: str = "huggingface") -> str:
    free = str(licence == "MIT").lower()
    return LISTED.format(name=name, licence=licence, files=files, kind=kind, free=free)


@pytest.fixture
def hub(tmp_path: Path, models_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with a tiny model, on the list under two licences, beside an export."""
    made = tiny_published("depth_anything", tmp_path / "published")
    listed = tmp_path / "available.yaml"
    listed.write_text(
        _listed("free", "MIT", PUBLISHED)
        + _listed("bound", "CC-BY-NC-4.0", PUBLISHED)
        + _listed("export", "MIT", "da3.onnx: {}", "depth-anything-3-metric")
    )
    monkeypatch.setattr("monodepth_ros.zoo.available.AVAILABLE_FILE", str(listed))
    with serving(Hub({path.name: path.read_bytes() for path in made.iterdir()})) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def test_a_fetched_model_runs(hub: Hub, models_folder: Path) -> None:
    status, said, _ = run("fetch", "free")
    assert status == 0
    assert f"{models_folder / 'free'}: MIT, https://example.org/depth" in said
    assert "model.safetensors: no hash of it was known; it is as the server says, SHA-256" in said
    card = load_card(models_folder / "free")
    assert (card.name, card.revision, card.architecture) == ("free", COMMIT, "huggingface")
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    depth = DepthEstimator(load_engine("free", "torch")).estimate(image).depth
    assert depth.shape == (60, 80) and np.isfinite(depth).any()
    status, said, _ = run("fetch", "free")
    assert (status, said) == (0, f"{models_folder / 'free'}: is there already, and whole")


def test_a_licence_without_commercial_use_is_accepted_by_name(
    hub: Hub, models_folder: Path
) -> None:
    status, _, told = run("fetch", "bound")
    assert status == 2
    assert told == (
        "monodepth: bound: its licence allows no commercial use: CC-BY-NC-4.0; read it at"
        " https://example.org/depth and add --accept-licence"
    )
    assert hub.requests == []
    assert run("fetch", "bound", "--accept-licence", "--name", "mine")[0] == 0
    assert load_card(models_folder / "mine").licence == "CC-BY-NC-4.0"


def test_a_server_that_says_no_is_a_failure(hub: Hub) -> None:
    del hub.files["model.safetensors"]
    status, _, told = run("fetch", "free")
    assert status == 1
    assert "HTTP 404, not there; by hand: `hf download somebody/depth-hf" in told


def test_an_export_is_fetched_and_imported_alike(
    hub: Hub, models_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="install the extra [onnxruntime]")
    from depth_anything_3_export import published_export

    source = published_export(tmp_path / "da3.onnx")
    hub.files[source.name] = source.read_bytes()
    assert run("fetch", "export")[0] == 0
    assert run("import", source, "--name", "own", "--kind", "depth-anything-3-metric")[0] == 0
    fetched, own = (load_card(models_folder / name) for name in ("export", "own"))
    assert (fetched.licence, fetched.revision) == ("MIT", COMMIT)
    assert (own.licence, own.revision, own.focal_length) == ("Apache-2.0", None, 300.0)
    for name in ("export", "own"):
        assert not (models_folder / name / source.name).exists()
        status, said, _ = run("check", name, "--engine", "onnxruntime")
        assert status == 0 and "ok random pixels" in said
        assert run("info", name)[0] == 0
    assert "is there already, and whole" in run("fetch", "export")[1]


def test_a_published_folder_is_imported_by_hand(
    hub: Hub, models_folder: Path, tmp_path: Path
) -> None:
    source, listed = tmp_path / "published", tmp_path / "available.yaml"
    digest = file_sha256(source / "model.safetensors")
    assert run("import", source, "--name", "mine")[0] == 0
    assert load_card(models_folder / "mine").licence.startswith("unknown")
    known = PUBLISHED.replace("safetensors: {}", f"safetensors: {{sha256: {digest}}}")
    listed.write_text(_listed("known", "CC-BY-NC-4.0", known))
    assert "exists; choose another --name" in run("import", source, "--name", "mine")[2]
    assert run("import", source, "--name", "mine", "--force")[0] == 0
    card = load_card(models_folder / "mine")
    assert (card.licence, card.homepage) == ("CC-BY-NC-4.0", "https://example.org/depth")
    (source / "model.safetensors").unlink()
    assert f"{source}: lacks model.safetensors" in run("import", source, "--name", "no")[2]
    assert {path.name for path in models_folder.iterdir()} == {"mine"}


def test_an_export_is_not_guessed_at(models_folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "some.onnx"
    for wrong, told in ((source, "no such file"), (tmp_path, "lacks encoder.pth")):
        assert told in run("import", wrong, "--name", "own")[2]
    source.touch()
    assert "say with --kind what its outputs mean" in run("import", source, "--name", "own")[2]


@pytest.mark.parametrize("name", ["../free", ""])
def test_a_name_stays_in_its_folder(hub: Hub, name: str) -> None:
    status, _, told = run("fetch", "free", "--name", name)
    assert status == 2 and "--name" in told


def test_without_the_library_the_extra_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("zoo.fetch", "zoo.hub"):
        monkeypatch.delitem(sys.modules, f"monodepth_ros.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    status, _, told = run("fetch", "free")
    assert status == 2
    assert "needs huggingface_hub" in told and "pip install 'monodepth_ros[foundation]'" in told
    assert json.loads(run("list", "--available", "--json")[1]).keys() == {"free", "bound", "export"}
