"""Cores and GPUs of a process that torchrun started among others."""

import os

import pytest

from monodepth_ros import process_share
from monodepth_ros.process_share import cores, take_gpu


def test_cores_are_shared(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    for processes, each in (("", 8), ("1", 8), ("3", 2), ("20", 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
        assert cores() == each


@pytest.mark.parametrize(
    ("processes", "rank", "seen", "taken"),
    [
        ("1", "0", None, None),
        ("3", "1", None, "1"),
        ("3", "2", None, "0"),
        ("2", "1", "GPU-a,GPU-b", "GPU-b"),
        ("2", "1", "5", "5"),
        ("2", "1", "", ""),
    ],
)
def test_a_process_takes_a_gpu(monkeypatch, tmp_path, processes, rank, seen, taken):
    for gpu in ("0000:01:00.0", "0000:02:00.0"):
        (tmp_path / gpu).mkdir()
    monkeypatch.setattr(process_share, "_GPUS", tmp_path)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    monkeypatch.setenv("LOCAL_RANK", rank)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen or "")
    if seen is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    take_gpu()
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == taken
    monkeypatch.setattr(process_share, "_GPUS", tmp_path / "none")
    take_gpu()
