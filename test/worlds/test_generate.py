from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.errors import UserError
from monodepth_ros.worlds import generate as generating
from monodepth_ros.worlds import mitsuba_backend
from monodepth_ros.worlds.generate import SequenceRequest, generate
from monodepth_ros.worlds.mitsuba_backend import load_mitsuba
from monodepth_ros.worlds.world import World

REQUEST = SequenceRequest("street", seed=3, frames=4, width=64, height=40, samples=4)


@pytest.fixture
def small_street(make_small_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """`street` replaced by a place that is built at once."""

    def build(name: str, seed: int, frames: int, camera: object, fps: float) -> World:
        return make_small_world(frames=frames)

    monkeypatch.setattr(generating, "build_world", build)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_sequence_holds_images_depth_and_poses(small_street: None, tmp_path: Path) -> None:
    assert list(generate(REQUEST, tmp_path / "s")) == [0, 1, 2, 3, 4]
    sequence = FolderSequence(tmp_path / "s")
    assert len(sequence) == 4 and sequence.has_depth and sequence.has_pose
    assert sequence.image(1).shape == (40, 64, 3)
    depth = sequence.depth(0)
    assert depth is not None and np.isnan(depth[0]).all()
    assert np.nanmax(depth) < 10 and np.nanmin(depth) > 1
    assert sequence.stamp_ns(3) == 300_000_000
    assert sequence.speed(2) == 1.0


def test_interrupted_run_goes_on_to_the_same_bytes(small_street: None, tmp_path: Path) -> None:
    list(generate(REQUEST, tmp_path / "whole"))
    broken = generate(REQUEST, tmp_path / "broken")
    for _ in range(3):
        next(broken)
    broken.close()
    assert list(generate(REQUEST, tmp_path / "broken")) == [2, 3, 4]
    assert content(tmp_path / "broken") == content(tmp_path / "whole")
    assert list(generate(REQUEST, tmp_path / "whole")) == [4]  # nothing left to do


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"seed": 4}, "source was .* seed 3.* and is .* seed 4"),
        ({"world": "rooms"}, "source was .* street.* and is .* rooms|camera"),
        ({"frames": 5}, "source was .* 4 frames.* and is .* 5 frames"),
        ({"samples": 5}, "source was .* 4 samples.* and is .* 5 samples"),
        ({"width": 80}, "camera.width was 64 and is 80 now"),
        ({"fps": 7.0}, "fps was 10.0 and is 7.0 now"),
    ],
)
def test_folder_of_another_request_is_refused(
    other: dict[str, Any], told: str, small_street: None, tmp_path: Path
) -> None:
    broken = generate(REQUEST, tmp_path)
    for _ in range(3):
        next(broken)
    broken.close()
    before = content(tmp_path)
    with pytest.raises(UserError, match=f"holds another sequence: .*({told})"):
        list(generate(replace(REQUEST, **other), tmp_path))
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"world": "moon"}, "'moon'.*street"),
        ({"frames": 0}, "frames"),
        ({"samples": 0}, "samples"),
        ({"seed": -1}, "seed"),
        ({"width": 8}, "8x"),
        ({"fps": -1.0}, "fps"),
    ],
)
def test_impossible_requests_name_the_value(
    wrong: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says):
        next(generate(SequenceRequest(**{"world": "street", **wrong}), tmp_path / "s"))  # type: ignore[arg-type]
    assert not (tmp_path / "s").exists()


def test_command_reports_what_it_rendered(small_street: None, tmp_path: Path) -> None:
    arguments = ["synth", "street", "--out", str(tmp_path / "s"), "--frames", "2", "--width", "64"]
    arguments += ["--height", "40", "--samples", "2", "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == {"out": str(tmp_path / "s"), "frames": 2, "rendered": 2}


@pytest.mark.parametrize(("found", "told"), [(15, "this is LLVM 15"), (None, "none is found here")])
def test_without_llvm_nothing_else_is_rendered(
    small_street: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: int | None,
    told: str,
) -> None:
    """Frames of the scalar variant are others, so only who names it gets them, and marked."""
    monkeypatch.setattr(mitsuba_backend, "llvm_version", lambda: found)
    monkeypatch.delenv(mitsuba_backend.VARIANT, raising=False)
    with pytest.raises(UserError, match=f"LLVM 17 or newer.*{told}.*apt install libllvm19"):
        list(generate(REQUEST, tmp_path / "s"))
    assert not (tmp_path / "s").exists()
    monkeypatch.setenv(mitsuba_backend.VARIANT, "scalar_rgb")
    list(generate(REQUEST, tmp_path / "s"))
    source = FolderSequence(tmp_path / "s").record.source
    assert ("scalar variant" in source) == (not mitsuba_backend.is_vectorised())


def test_llvm_17_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(mitsuba_backend.VARIANT, raising=False)
    monkeypatch.setattr(mitsuba_backend, "llvm_version", lambda: 17)
    mitsuba_backend.check_backend()


def test_absent_renderer_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    load_mitsuba.cache_clear()
    try:
        with pytest.raises(UserError, match=r"\[synthetic\]"):
            load_mitsuba()
    finally:
        load_mitsuba.cache_clear()
