import json
from pathlib import Path

import numpy as np
import pytest
from recordings import HEIGHT, WIDTH, picture, save

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.errors import UserError

CAMERA = {
    "extrinsic": {"baseline": 0.21, "pitch": 0.03, "x": 1.7},
    "intrinsic": {"fx": 60.0, "fy": 61.0, "u0": 31.0, "v0": 22.0},
}


def build(root: Path) -> Path:
    # Aachen counts its snippets, Hamburg runs on within one drive.
    names = [f"aachen_{s:06d}_{f:06d}" for s in (0, 1) for f in (18, 19, 20)]
    names += [f"hamburg_000000_{f:06d}" for f in (100, 101, 102, 200, 201, 202)]
    for seed, name in enumerate(names):
        city = name.split("_")[0]
        save(picture(seed), root / f"leftImg8bit_sequence/train/{city}/{name}_leftImg8bit.png")
    for name in [n for n in names if n[-2:] in ("19", "01")]:
        place = f"train/{name.split('_')[0]}"
        camera = root / f"camera/{place}/{name}_camera.json"
        camera.parent.mkdir(parents=True, exist_ok=True)
        camera.write_text(json.dumps(CAMERA))
        disparity = np.full((HEIGHT, WIDTH), 256 * 6 + 1, np.uint16)
        disparity[0, :2] = 0, 1
        save(disparity, root / f"disparity/{place}/{name}_disparity.png")
    return root


def test_layout(tmp_path: Path) -> None:
    snippets = open_sequence(build(tmp_path / "city"))
    assert [s.name for s in snippets] == [
        "aachen_000000_000018",
        "aachen_000001_000018",
        "hamburg_000000_000100",
        "hamburg_000000_000200",
    ]
    assert all(len(snippet) == 3 for snippet in snippets)
    hamburg = snippets[2]
    np.testing.assert_array_equal(hamburg.image(1), picture(7))
    assert hamburg.camera.K[1, 1] == 61.0 and hamburg.number(2) == 102
    assert hamburg.depth(0) is None
    depth = hamburg.depth(1)
    assert np.isnan(depth[0, :2]).all()
    assert depth[1, 1] == pytest.approx(0.21 * 60 / 6)
    assert hamburg.stamp_ns(2) - hamburg.stamp_ns(1) == pytest.approx(1e9 / 17, rel=1e-6)


def test_splits(tmp_path: Path) -> None:
    root = build(tmp_path / "city")
    assert len(open_sequence(f"{root}@train")) == 4
    with pytest.raises(UserError, match="no images in val"):
        open_sequence(f"{root}@val")


def test_odd_cameras_are_named(tmp_path: Path) -> None:
    root = build(tmp_path / "city")
    file = root / "camera/train/aachen/aachen_000000_000019_camera.json"
    file.write_text(json.dumps({"intrinsic": {"fx": 1}}))
    with pytest.raises(UserError, match="000019_camera.json: not a Cityscapes camera file"):
        open_sequence(root)
    file.write_text(json.dumps({**CAMERA, "intrinsic": {**CAMERA["intrinsic"], "fx": -1}}))
    with pytest.raises(UserError, match="000019_camera.json: focal lengths"):
        open_sequence(root)
    file.unlink()
    with pytest.raises(UserError, match="aachen_000000_000018_leftImg8bit.png: no camera file"):
        open_sequence(root)
