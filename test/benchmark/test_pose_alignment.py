"""The solver on real frames: with true depth, disturbed poses come at least five times nearer."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made_once import made_once

PROGRAM = Path(__file__).resolve().parents[2] / "benchmark" / "pose_alignment.py"
FEATURES = ("random", "patches")


@pytest.fixture(scope="module")
def errors(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of both kinds of features, measured at once."""

    def measure(folder: Path) -> None:
        data = str(real_data / "7scenes_redkitchen@0:200")
        command = [sys.executable, str(PROGRAM), "--data", data, "--stride", "4", "--pairs", "12"]
        command += ["--features", *FEATURES, "--cache", str(folder)]
        subprocess.run([*command, "--out", str(folder / "errors.json")], check=True)

    folder = made_once(tmp_path_factory, "pose_alignment", measure)
    return json.loads((folder / "errors.json").read_text())["errors"]


@pytest.mark.parametrize("features", FEATURES)
def test_disturbed_poses_of_a_recording_come_back(errors: Any, features: str) -> None:
    assert errors["disturbed"]["rotation_degrees"] == pytest.approx(1.0, rel=1e-3)
    assert errors[features]["image_pixels"] < errors["disturbed"]["image_pixels"] / 5
