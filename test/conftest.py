"""What all tests share: real recordings, one thread for each test process, fixed seeds."""

import random
from pathlib import Path

import numpy
import pytest
import torch

REAL_DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors run faster without threads, and sums come out in one order."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real recordings, which are too large for the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip("no real recordings in ../shared/data beside the repository")
    return REAL_DATA.resolve()
