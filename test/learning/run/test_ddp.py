import csv
import subprocess
import sys
from pathlib import Path

import pytest
from recipes import BOTH, small_recipe

from monodepth_ros.errors import UserError
from monodepth_ros.learning.recipe.file import save_recipe
from monodepth_ros.learning.recipe.recipe import Recipe
from monodepth_ros.learning.run.train import train

WORKER = Path(__file__).parents[2] / "support" / "train_process.py"


def recipe(devices: int) -> Recipe:
    """Without random numbers, which each process draws for itself, and with frozen batch
    statistics, which PyTorch synchronises on GPUs alone.
    """
    return small_recipe(
        networks={"freeze_statistics": True},
        data={
            "size": "64x32",
            "augmentation": {"flip": 0.0, "jitter": 0.0},
            "validation_fraction": 0.3,
        },
        losses={**BOTH, "photometric": {"automask_noise": 0.0}},
        trainer={"batch_size": 4 // devices, "devices": devices, "max_steps": 3, "log_every": 1},
    )


def train_in_two_processes(corridor: Path, folder: Path) -> Path:
    save_recipe(recipe(2), folder / "recipe.yaml")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = [str(WORKER), str(folder / "recipe.yaml"), str(corridor), str(folder / "two")]
    done = subprocess.run(
        [sys.executable, *launcher, *arguments], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "two"


def figures(run: Path) -> dict[str, list[float]]:
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = ("loss", "supervised/silog", "val/photometric", "val/abs_rel")
    return {name: [float(row[name]) for row in rows if row[name]] for name in names}


@pytest.mark.slow
def test_two_processes_equal_one_with_the_double_batch(corridor: Path, tmp_path: Path) -> None:
    """The second and third loss also depend on the averaged gradients."""
    one = figures(train(recipe(1), [corridor], tmp_path / "one"))
    two = figures(train_in_two_processes(corridor, tmp_path))
    assert [len(values) for values in one.values()] == [3, 3, 1, 1]
    assert one["loss"][2] != pytest.approx(one["loss"][0], rel=1e-3)
    for name, values in one.items():
        assert two[name] == pytest.approx(values, rel=1e-4), name


def test_another_number_of_processes_is_refused(
    corridor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UserError, match="4 processes were started.*is 2"):
        train(recipe(2), [corridor], tmp_path / "run")
    assert not (tmp_path / "run").exists()
