"""With exported networks the commands never import torch, which takes seconds and memory."""

import os
import subprocess

from exported_model import cached_engine, exports_cache, heavy_modules, shared_cache, telling

from monodepth_ros.share_directory import share_directory

__all__ = ["cached_engine", "exports_cache", "shared_cache"]  # fixtures
DEMO = share_directory() / "models/demo"


def imported_by(*arguments):
    command = telling("from monodepth_ros.cli.app import main; main()")
    done = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    return heavy_modules(done.stdout)


def predict(out, engine):
    image = next((DEMO / "samples").glob("*.jpg"))
    return imported_by("predict", image, "--out", out, "--engine", engine)


def test_predict(cached_engine, tmp_path):
    assert predict(tmp_path, cached_engine) == set()
    assert len(list(tmp_path.glob("*_depth.npy"))) == 1


def test_replay(cached_engine, tmp_path):
    walk = DEMO / "sample_walk"
    assert imported_by("replay", walk, "--out", tmp_path, "--engine", cached_engine) == set()
    assert (tmp_path / "metrics.json").exists()


def test_torch_is_found_where_it_is_imported(tmp_path):
    assert "torch" in predict(tmp_path, "torch")
