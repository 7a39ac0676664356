"""What replays and evaluates needs no torch before an engine wants it."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["replay.run", "replay.prediction_files", "evaluation.predictions", "geometry.lens"]
)
def test_it_is_imported_without_torch(module: str) -> None:
    code = f"import sys, monodepth_ros.{module}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
