"""What opening a recording tells is told once."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.open_sequence import open_sequence


def test_a_recording_opened_twice_warns_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("walk", "drive"):
        (tmp_path / name).mkdir()
        for number in range(2):
            path = tmp_path / name / f"{number}.png"
            cv2.imwrite(str(path), np.full((48, 64, 3), 90, np.uint8))
    for name in ("walk", "walk", "drive"):
        open_sequence(tmp_path / name, capture=CaptureSettings(field_of_view=60.0))
    warned = [line.split(":")[1] for line in capsys.readouterr().err.splitlines()]
    assert warned == [" walk", " drive"]
