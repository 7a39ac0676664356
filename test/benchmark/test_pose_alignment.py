"""The solver on real frames: with true depth, disturbed poses come at least five times nearer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "benchmark" / "pose_alignment.py"


@pytest.mark.parametrize("features", ["random", "patches"])
def test_disturbed_poses_of_a_recording_come_back(
    real_data: Path, tmp_path: Path, features: str
) -> None:
    out = tmp_path / "errors.json"
    command = [sys.executable, str(PROGRAM), "--data", str(real_data / "7scenes_redkitchen@0:200")]
    command += ["--stride", "4", "--pairs", "24", "--features", features]
    subprocess.run([*command, "--cache", str(tmp_path), "--out", str(out)], check=True)
    errors = json.loads(out.read_text())["errors"]
    assert errors["disturbed"]["rotation_degrees"] == pytest.approx(1.0, rel=1e-3)
    assert errors[features]["image_pixels"] < errors["disturbed"]["image_pixels"] / 5
