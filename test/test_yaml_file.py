"""Whatever a YAML file holds, it is read or named in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from monodepth_ros.data.cameras.calibration_file import read_calibration
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe.file import load_recipe, parse_recipe
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.share_directory import share_directory
from monodepth_ros.yaml_file import read_mapping
from monodepth_ros.zoo.card import load_card

NOT_MAPPINGS = {
    b"a: [": "not YAML",
    b"\xff\xfe\x00": "not a YAML file",
    b"- 1": "a mapping of keys to values, got a list",
    b"5": "a mapping of keys to values, got 5",
    b"false": "a mapping of keys to values, got False",
    b"a: 2024-13-45": "not YAML: month must be in 1..12",
    b"[" * 1200: "nested too deep",
    b"a: !!python/object:os.system x": "not YAML",
    b"? {a: 1}\n: 2": "not YAML",
}
OTHERS: list[Any] = [None, [], ["a", 1], {}, {"a": 1}, {1: 2}, "text", -1, 1e400, True, [[[]]]]


@pytest.mark.parametrize(("content", "told"), NOT_MAPPINGS.items(), ids=range(len(NOT_MAPPINGS)))
def test_what_is_no_mapping_is_told_of_every_file(
    content: bytes, told: str, tmp_path: Path
) -> None:
    for name, read in (
        ("file.yaml", lambda path: read_mapping(path, "it")),
        ("recipe.yaml", load_recipe),
        ("camera.yaml", read_calibration),
        ("sequence.yaml", lambda path: FolderSequence(path.parent)),
        ("card.yaml", lambda path: load_card(path.parent)),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            read(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name)) and told in message
        assert "\n" not in message


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read .Is a directory"):
        read_mapping(tmp_path, "it")


def places(values: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The keys of nested mappings, sections and their values alike."""
    found = [path] if path else []
    if isinstance(values, dict):
        for key, value in values.items():
            found += places(value, (*path, key))
    return found


def replaced(values: dict[str, Any], path: tuple[str, ...], other: Any) -> dict[str, Any]:
    head, *rest = path
    return {**values, head: replaced(values[head], tuple(rest), other) if rest else other}


def check_every_key(values: dict[str, Any], source: str, read: Any, named: bool = True) -> int:
    """Every key with values of every other type: read, or refused in one line that names it.

    Not ``named`` where a camera is refused by what it is: "image size -1x4 is not positive".
    """
    refused = 0
    for path in places(values):
        for other in OTHERS:
            try:
                read(replaced(values, path, other))
            except UserError as error:
                refused += 1
                message = str(error)
                assert message.startswith(source) and "\n" not in message
                assert not named or path[-1] in message or path[0] in message
    return refused


def writing(file: Path, read: Any) -> Any:
    """A reader of values that are written to a file before."""
    return lambda values: file.write_text(yaml.safe_dump(values)) and read()


def test_a_recipe_with_a_value_of_any_type() -> None:
    values = Recipe().model_dump(mode="json")
    assert check_every_key(values, "r.yaml", lambda raw: parse_recipe(raw, "r.yaml")) > 999


NO_SECTION = [None, [], ["a"], 3, "text", True]


@pytest.mark.parametrize(
    ("section", "other"),
    [
        *((name, other) for name in ("networks", "networks.init", "data") for other in NO_SECTION),
        *(("losses", other) for other in NO_SECTION),
        *(("losses.supervised", other) for other in NO_SECTION[1:]),  # null: it has none
        *(("losses.supervised.silog", other) for other in NO_SECTION[1:]),
    ],
)
def test_a_section_of_a_wrong_type_is_named(section: str, other: Any, tmp_path: Path) -> None:
    raw: dict[str, Any] = {"networks": {"min_depth": 0.2}, "losses": {"photometric": {}}}
    names, told = section.split("."), "null" if other is None else repr(other)
    for name in reversed(names):
        other = {name: other}
    raw |= other
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(UserError) as caught:
        load_recipe(tmp_path / "r.yaml")
    expected = f"{section}: {told} is not allowed: a section of keys is wanted"
    assert str(caught.value) == f"{tmp_path / 'r.yaml'}: {expected}"


def test_a_model_card_with_a_value_of_any_type(tmp_path: Path) -> None:
    card = yaml.safe_load((share_directory() / "models/demo/card.yaml").read_text())
    file = tmp_path / "card.yaml"
    assert check_every_key(card, str(file), writing(file, lambda: load_card(tmp_path))) > 50


def test_a_sequence_with_a_value_of_any_type(tmp_path: Path) -> None:
    record = {
        "version": 1,
        "camera": {
            "width": 4, "height": 4, "K": [[3.0, 0, 2], [0, 3.0, 2], [0, 0, 1]],
            "distortion_model": "plumb_bob", "D": [0.0, 0, 0, 0, 0],
        },
        "fps": 10.0, "depth_scale": 1000.0, "camera_frame": "c", "world_frame": "w",
        "source": "", "licence": "",
        "origin": {"format": 1, "bag": "b", "fingerprint": "f", "topic": "/t", "request": {}},
    }  # fmt: skip
    row = "index,stamp_ns,image,depth,tx,ty,tz,qx,qy,qz,qw,speed\n0,0,images/0.png,,,,,,,,,\n"
    (tmp_path / "frames.csv").write_text(row)
    file = tmp_path / "sequence.yaml"
    read = writing(file, lambda: FolderSequence(tmp_path))
    assert check_every_key(record, str(file), read, named=False) > 100


def test_a_calibration_with_a_value_of_any_type(tmp_path: Path) -> None:
    calibration = {
        "image_width": 4, "image_height": 4, "distortion_model": "plumb_bob",
        "camera_matrix": {"rows": 3, "cols": 3, "data": [3.0, 0, 2, 0, 3.0, 2, 0, 0, 1]},
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.0, 0, 0, 0, 0]},
    }  # fmt: skip
    file = tmp_path / "camera.yaml"
    read = writing(file, lambda: read_calibration(file))
    assert check_every_key(calibration, str(file), read, named=False) > 30
