"""`monodepth evaluate depth --background`: black space has no prediction, and is counted."""

import numpy as np
import pytest
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.geometry.camera import PinholeCamera


@pytest.fixture
def space(tmp_path):
    """One frame whose upper half is black."""
    image = np.random.default_rng(0).integers(40, 256, (48, 80, 3), dtype=np.uint8)
    image[:24] = 0
    camera = PinholeCamera.centred(48, 80, 60.0)
    with SequenceWriter(tmp_path / "space", camera, fps=10, image_format="png") as writer:
        writer.add(image, np.full((48, 80), 2.0, np.float32), np.eye(4))
    return tmp_path / "space"


@pytest.mark.parametrize("background, least, most", [("keep", 0, 0), ("black_invalid", 45, 55)])
def test_its_share_is_told(space, background, least, most):
    given = ["evaluate", "depth", "--model", "demo", "--data", str(space)]
    result = CliRunner().invoke(app, [*given, "--background", background])
    assert result.exit_code == 0, result.output
    assert least <= float(result.stderr.partition(" % of the truth")[0] or 0) <= most


def test_an_unknown_name_is_wrong_use(space):
    given = ["evaluate", "depth", "--model", "demo", "--data", str(space)]
    result = CliRunner().invoke(app, [*given, "--background", "black"])
    assert result.exit_code == 2 and "use keep or black_invalid" in result.stderr
