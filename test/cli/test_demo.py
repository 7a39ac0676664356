"""`monodepth demo`: pictures and figures of the sample frames that come with a model."""

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from monodepth_ros.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, ["demo", *map(str, arguments)])


def test_demo_writes_pictures_of_the_samples(model):
    (model / "samples").mkdir()
    for name in ("street.jpg", "rooms.jpg"):
        pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(model / "samples" / name)
    result = run("--out", model.parent / "out", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "monodepth2-slim at 96x64 on cpu" in result.stdout
    for name in ("street", "rooms"):
        picture = model.parent / "out" / f"{name}_preview.png"
        assert Image.open(picture).size == (128, 48)
        assert str(picture) in result.stdout
        assert f"{name}.jpg" in result.stdout


def test_without_samples_it_says_so(model):
    result = run()
    assert result.exit_code == 2
    assert "no sample frames" in result.stderr
