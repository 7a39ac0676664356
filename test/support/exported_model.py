"""A cache of exports that the tests of one process share, so that each is made once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def exports_cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where exports are kept: nothing of the user's own cache is read or written."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    yield shared_cache
