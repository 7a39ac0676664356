"""Recordings of the corridor, and a run on them, that the tests of learning share."""

from pathlib import Path

import pytest
from corridor import write_corridor
from made_once import made_once
from recipes import SUPERVISED, small_recipe

from monodepth_ros.learning.export import export_run
from monodepth_ros.learning.run.train import train


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


@pytest.fixture(scope="session")
def taught_run(corridor: Path, held_back: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learnt depth from truth."""
    recipe = small_recipe(
        data={"size": "64x32", "augmentation": {"jitter": 0.0}},
        losses=SUPERVISED,
        optimizer={"lr": 3e-3},
        schedule={"kind": "cosine", "epochs": 1000},
        trainer={"batch_size": 4, "max_steps": 80},
        evaluation={"every_steps": 40},
    )
    return (
        made_once(
            tmp_path_factory,
            "taught_run",
            lambda folder: train(recipe, [corridor], folder / "run", [held_back]),
        )
        / "run"
    )


@pytest.fixture(scope="session")
def taught(taught_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of that run."""

    def export(folder: Path) -> None:
        export_run(taught_run, folder / "taught", "CC0-1.0", half=False)

    return made_once(tmp_path_factory, "taught", export) / "taught"


@pytest.fixture(scope="session")
def untaught(corridor: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model after one step: it has hardly learnt."""
    recipe = small_recipe(losses=SUPERVISED, trainer={"max_steps": 1, "batch_size": 4})

    def make(folder: Path) -> None:
        run = train(recipe, [corridor], folder / "run")
        export_run(run, folder / "untaught", "CC0-1.0", half=False)

    return made_once(tmp_path_factory, "untaught", make) / "untaught"


@pytest.fixture(autouse=True)
def frame_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resized frames stay out of the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
