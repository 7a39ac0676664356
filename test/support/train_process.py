"""One process of a training run: train_process.py RECIPE DATA RUN."""

import sys
from pathlib import Path

import torch

from monodepth_ros.learning.recipe.file import load_recipe
from monodepth_ros.learning.run.train import train

if __name__ == "__main__":
    torch.set_num_threads(1)
    recipe, data, run = sys.argv[1:]
    train(load_recipe(recipe), [data], Path(run))
