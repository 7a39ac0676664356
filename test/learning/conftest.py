"""Recordings of the corridor that the tests of a run share."""

from pathlib import Path

import pytest
from corridor import write_corridor


@pytest.fixture(scope="session")
def corridor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds one sequence with truth."""
    folder = tmp_path_factory.mktemp("corridor")
    write_corridor(folder / "walk", frames=22, step=0.05)
    return folder


@pytest.fixture(scope="session")
def held_back(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other views of the same corridor."""
    folder = tmp_path_factory.mktemp("held_back")
    write_corridor(folder / "walk", frames=6, start=-0.4, step=0.13)
    return folder


@pytest.fixture(autouse=True)
def frame_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resized frames stay out of the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
