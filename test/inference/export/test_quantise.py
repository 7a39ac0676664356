"""A depth network in int8: near enough to be used, or nothing is written."""

import numpy as np
import pytest

from monodepth_ros.errors import Failure, UserError
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.engines.short_check import short_check
from monodepth_ros.inference.export import quantise as module
from monodepth_ros.inference.export.quantise import quantise
from monodepth_ros.zoo.card import load_card


def frames(count):
    """A scene that moves: gradients, stripes and noise."""
    y, x = np.mgrid[0:64, 0:96]
    noise = np.random.default_rng(0).integers(0, 20, (64, 96, 3))
    scene = np.stack([80 * (x // 12 % 2), 3 * y, 2 * x], -1) + noise
    rolled = [np.roll(scene, 2 * number, 1).astype(np.uint8) for number in range(count)]
    return [(f"frame {number}", rgb) for number, rgb in enumerate(rolled)]


@pytest.fixture
def searched(model, tmp_path, monkeypatch):
    """Replaces the search by the network as it is, in OpenVINO's format."""
    openvino = pytest.importorskip("openvino")
    pytest.importorskip("nncf", reason="needs the extra [quantise]")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = []

    def search(source, images, expected, say, ambiguity):
        asked.append((images, expected))
        openvino.save_model(openvino.Core().read_model(source), tmp_path / "n.xml", False)
        return (tmp_path / "n.xml").read_bytes(), (tmp_path / "n.bin").read_bytes()

    monkeypatch.setattr("monodepth_ros.inference.export.quantisation_search.search", search)
    return asked


def test_it_is_a_model_folder_with_an_int8_export(model, searched, tmp_path):
    found = quantise(model, tmp_path / "out", frames(20), print)
    ((images, expected),) = searched
    assert len(images) == len(expected) == 16  # four fifths
    assert (found.frames, found.precision) == (4, "int8")
    assert found.worst_frame in {f"frame {number}" for number in range(8, 12)}
    (entry,) = load_card(tmp_path / "out").exports
    assert (entry.format, entry.network, entry.precision) == ("openvino", "depth", "int8")
    assert entry.file == "out-depth-96x64-int8.xml"
    assert entry.proof == "out-depth-96x64-int8-proof.npz"
    engine = load_engine(tmp_path / "out", "openvino", "cpu", "int8")
    assert short_check(engine, tmp_path / "out", ("depth", "pose")) == ""


def test_what_differs_too_much_is_not_written(model, searched, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "monodepth_ros.inference.engines.agreement.TOLERANCE", {"fp32": 1e-4, "int8": 0.0}
    )
    with pytest.raises(Failure, match="^tiny in int8 on 4 frames: depth differs"):
        quantise(model, tmp_path / "out", frames(20), print)
    assert not (tmp_path / "out").exists()


def test_too_few_frames_and_missing_libraries_are_told(model, searched, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="19 frames are too few"):
        quantise(model, tmp_path / "out", frames(19), print)
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "nncf" else name)
    with pytest.raises(UserError, match=r"needs nncf, .*'monodepth_ros\[quantise\]'"):
        quantise(model, tmp_path / "out", frames(20), print)


@pytest.mark.slow
def test_eight_bits_are_near_and_smaller(model, tmp_path, monkeypatch):
    pytest.importorskip("nncf", reason="needs the extra [quantise]")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = []
    found = quantise(model, tmp_path / "out", frames(20), lines.append)
    assert 1e-4 < found.abs_rel < 0.02
    assert lines[0].startswith("all layers in int8: abs_rel 0.0")
    (entry,) = load_card(tmp_path / "out").exports
    stored = (tmp_path / "out" / entry.file).with_suffix(".bin").stat().st_size
    assert stored < 0.6 * (model / "weights.safetensors").stat().st_size
