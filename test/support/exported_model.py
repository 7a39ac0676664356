"""A cache of exports that tests of one process share; programs that tell what they import."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monodepth_ros.inference.export.cached import ensure_exports
from monodepth_ros.inference.export.kind import ExportKind
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.catalogue import resolve

HEAVY = {"torch", "lightning", "tensorboard", "onnx", "pandas"}


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def exports_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where exports are kept: nothing of the user's own cache is read or written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    yield shared_cache


@pytest.fixture(params=["openvino", "onnxruntime"])
def cached_engine(request: pytest.FixtureRequest, exports_cache: Path) -> str:
    """An engine's name; what it needs of the demo model is in the cache."""
    pytest.importorskip(request.param, reason=f"install the extra [{request.param}]")
    folder = resolve("demo")
    card = load_card(folder)
    kinds = [ExportKind("onnx", network, card.size) for network in ("depth", "pose")]
    ensure_exports(folder, card, kinds)
    return str(request.param)


def telling(code: str) -> list[str]:
    """The command of a program that runs ``code`` and in the end prints what it has imported."""
    tell = 'import atexit, sys; atexit.register(lambda: print("imported", *sys.modules))'
    return [sys.executable, "-c", f"{tell}\n{code}"]


def heavy_modules(output: str) -> set[str]:
    """The modules among those told that a light program does not import."""
    told = next(line for line in output.splitlines() if line.startswith("imported "))
    return HEAVY & set(told.split())
