"""Which export an engine gets: the model folder's, or one that is made once and kept."""

import json
import threading

import numpy as np
import pytest

from monodepth_ros.errors import UserError
from monodepth_ros.inference.export import cached
from monodepth_ros.inference.export.cached import ensure_exports, ensure_proof
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.inference.export.proof import Proof
from monodepth_ros.zoo.card import Export, load_card
from monodepth_ros.zoo.weight_files import file_sha256
from monodepth_ros.zoo.weights import save_model

DEPTH = ExportKind("onnx", "depth", (64, 96))


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Files are made by a stand-in, into a cache of this test's own; the list has each call."""
    calls = []

    def make(folder, card, kinds, into):
        calls.append(list(kinds))
        for name in [name for kind in kinds for name in kind.files("model")]:
            (into / name).write_bytes(f"{name} {len(calls)}".encode())

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cached, "_make", make)
    return calls


def ensure_export(model, card, kind=DEPTH):
    return ensure_exports(model, card, [kind])[0]


def test_it_is_made_once_and_found_again(model, made, tmp_path, capsys):
    first, second = (ensure_export(model, load_card(model), DEPTH) for _ in range(2))
    assert first == second and made == [[DEPTH]]
    assert first.name == "model-depth-96x64-fp32.onnx"
    assert first.parent.parent == tmp_path / "cache/monodepth_ros/exports"
    assert "tiny: making model-depth-96x64-fp32.onnx once" in capsys.readouterr().err


@pytest.mark.parametrize("harm", [lambda p: p.write_bytes(b"half"), lambda p: p.unlink()])
@pytest.mark.parametrize("file", [0, 1])
def test_what_is_damaged_is_made_again(model, made, harm, file):
    path = ensure_export(model, load_card(model), DEPTH)
    harm(path.parent / DEPTH.files("model")[file])
    assert ensure_export(model, load_card(model), DEPTH) == path
    assert len(made) == 2 and path.read_bytes().endswith(b"2")


def test_other_weights_sizes_and_kinds_have_exports_of_their_own(model, made, card, states):
    paths = {ensure_export(model, load_card(model), DEPTH)}
    paths.add(ensure_export(model, load_card(model), ExportKind("onnx", "pose", (64, 96))))
    paths.add(ensure_export(model, load_card(model), ExportKind("onnx", "depth", (96, 64))))
    save_model(model, card, {"depth": states["depth"]})
    paths.add(ensure_export(model, load_card(model), DEPTH))
    assert len(paths) == len(made) == 4


def test_two_that_ask_at_once_make_it_once(model, made):
    card, paths = load_card(model), []
    askers = [
        threading.Thread(target=lambda: paths.append(ensure_export(model, card, DEPTH)))
        for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(paths) == 4 and made == [[DEPTH]]


def test_what_is_missing_is_made_at_once(model, made):
    ensure_export(model, load_card(model))
    pose, half = ExportKind("onnx", "pose", (64, 96)), ExportKind("onnx", "depth", (64, 96), "fp16")
    paths = ensure_exports(model, load_card(model), [DEPTH, pose, half])
    assert made == [[DEPTH], [pose, half]]
    assert [path.name for path in paths] == [k.file("model") for k in (DEPTH, pose, half)]


def test_the_card_s_own_export_is_used_and_must_be_whole(model, made):
    (model / "own.onnx").write_bytes(b"own")
    files = {"own.onnx": file_sha256(model / "own.onnx")}
    entry = Export(format="onnx", network="depth", size="96x64", file="own.onnx", files=files)
    card = load_card(model).model_copy(update={"exports": [entry]})
    assert ensure_export(model, card, DEPTH) == model / "own.onnx" and made == []
    (model / "own.onnx").write_bytes(b"other")
    with pytest.raises(UserError, match="own.onnx: damaged or replaced"):
        ensure_export(model, card, DEPTH)


@pytest.mark.parametrize("absent", ["torch", "onnx"])
def test_without_what_makes_it_the_user_is_told_what_to_do(model, made, monkeypatch, absent):
    monkeypatch.setattr(cached, "find_spec", lambda name: None if name == absent else True)
    with pytest.raises(UserError, match=rf"needs {absent}: install that, or run `monodepth models"):
        ensure_export(model, load_card(model), DEPTH)


def test_a_cache_that_cannot_be_written_is_named(model, made, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot be kept there .*set XDG_CACHE_HOME"):
        ensure_export(model, load_card(model), DEPTH)


def test_the_real_child_makes_an_export_and_a_proof(model, exports_cache):
    path = ensure_export(model, load_card(model), DEPTH)
    proof = Proof.load(ensure_proof(model, load_card(model), "depth", (64, 96)))
    assert proof.images.shape == (2, 64, 96, 3) and proof.expected.shape == (2, 64, 96)
    assert np.isfinite(proof.expected).all()
    assert set(json.loads((path.parent / f"{path.name}.json").read_text())) == {
        "model-depth-96x64-fp32.onnx",
        "model-depth-96x64-proof.npz",
    }


def test_what_the_child_says_is_said(tmp_path, card, states, exports_cache):
    save_model(tmp_path, card, {"depth": states["depth"]})
    with pytest.raises(UserError, match="cannot be exported: model tiny has no pose network"):
        ensure_export(tmp_path, load_card(tmp_path), ExportKind("onnx", "pose", (64, 96)))
