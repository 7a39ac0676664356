"""Cards come back as written; a wrong one is refused with its file and key."""

import pytest
import yaml
from pydantic import ValidationError

from monodepth_ros.errors import UserError
from monodepth_ros.networks.registry import ARCHITECTURES, Architecture, Builder
from monodepth_ros.zoo.card import ModelCard, load_card, save_card
from monodepth_ros.zoo.catalogue import resolve
from monodepth_ros.zoo.size import parse_size


def test_a_card_comes_back_as_written(tmp_path, card):
    metric = card.model_copy(update={"scale": "metric", "factor": 5.4, "focal_length": 370.0})
    save_card(tmp_path, metric)
    assert load_card(tmp_path) == metric


def test_sizes_are_width_by_height_in_the_file(tmp_path, card):
    save_card(tmp_path, card)
    assert yaml.safe_load((tmp_path / "card.yaml").read_text())["size"] == "96x64"
    assert load_card(tmp_path).size == (64, 96)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"focal": 3}, "focal"),
        ({"architecture": "resnet99"}, "architecture"),
        ({"size": "100x64"}, "size"),
        ({"size": "big"}, "size"),
        ({"min_depth": -1}, "min_depth"),
        ({"min_depth": 200.0}, "min_depth"),
        ({"factor": 2.0}, "factor"),
        ({"scale": "metric", "factor": float("inf")}, "factor"),
        ({"files": {"../weights.safetensors": "0" * 64}}, "files"),
        ({"files": {"/etc/passwd": "0" * 64}}, "files"),
        ({"files": {"weights.safetensors": "abc"}}, "files"),
        ({"name": "../up"}, "name"),
        ({"provenance": {"data": "x", "when": "now"}}, "provenance.when"),
        ({"output": "normals"}, "output"),
        ({"output": "inverse_depth"}, "min_depth and max_depth belong to output: disparity"),
        ({"max_depth": float("inf")}, "output: disparity needs"),
        ({"ambiguity": "shift"}, "ambiguity"),
        ({"scale": "metric", "ambiguity": "scale_and_shift"}, "ambiguity scale_and_shift"),
        ({"size": "96x68"}, "96x68: monodepth2-slim needs multiples of 32"),
        ({"architecture": "monodepth2-resnet18", "size": "96x32"}, "at least 64 pixels"),
        ({"size_multiple": 48}, "size_multiple 48 is not a multiple of 32"),
        ({"size_multiple": 64}, "96x64: monodepth2-slim needs multiples of 64"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, card, change, complaint):
    values = card.model_dump(exclude_none=True) | change
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(UserError, match=complaint) as caught:
        load_card(tmp_path)
    assert str(tmp_path / "card.yaml") in str(caught.value)


@pytest.mark.parametrize("text", ["", "- a\n- b", "name: [", "\x00", "!!python/object:os.system x"])
def test_what_is_no_card_is_refused(tmp_path, text):
    (tmp_path / "card.yaml").write_text(text)
    with pytest.raises(UserError, match="card.yaml"):
        load_card(tmp_path)


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(UserError, match="no card.yaml"):
        load_card(tmp_path)


def test_a_failed_write_keeps_the_former_card(tmp_path, card, monkeypatch):
    save_card(tmp_path, card)
    monkeypatch.setattr("yaml.safe_dump", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_card(tmp_path, card.model_copy(update={"name": "other"}))
    assert load_card(tmp_path) == card
    assert [path.name for path in tmp_path.iterdir()] == ["card.yaml"]


def test_parse_size():
    assert parse_size("640x192") == (192, 640)
    assert parse_size((192, 640)) == (192, 640)
    for wrong in ("640", "0x32", "-32x32", (0, 64)):
        with pytest.raises(ValueError):
            parse_size(wrong)


def test_a_card_needs_licence_and_provenance():
    with pytest.raises(ValidationError, match="provenance"):
        ModelCard(name="a", licence="MIT", architecture="monodepth2-slim", size=(64, 64))


TOY = Architecture(
    Builder("toy:Net"), None, size_multiple=14, output="inverse_depth", ambiguity="scale_and_shift"
)


def test_what_a_card_leaves_out_is_as_the_architecture_has_it(tmp_path, card, monkeypatch):
    assert (card.size_multiple, card.output, card.ambiguity) == (32, "disparity", "scale")
    monkeypatch.setitem(ARCHITECTURES, "toy", TOY)
    values = card.model_dump(include={"name", "licence", "provenance"})
    toy = ModelCard(architecture="toy", size=(42, 70), **values)
    assert (toy.size_multiple, toy.output, toy.ambiguity) == (
        14,
        "inverse_depth",
        "scale_and_shift",
    )
    assert (toy.min_depth, toy.max_depth) == (0.0, float("inf"))
    save_card(tmp_path, toy)
    assert load_card(tmp_path) == toy
    with pytest.raises(ValidationError, match="toy needs multiples of 14"):
        ModelCard(architecture="toy", size=(64, 70), **values)


def test_the_bundled_card_says_nothing_of_it():
    """Files from before these keys are read as ever."""
    folder = resolve("demo")
    assert "ambiguity" not in (folder / "card.yaml").read_text()
    assert load_card(folder).ambiguity == "scale"
