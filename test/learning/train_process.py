"""One process of a training run: train_process.py RECIPE DATA RUN. Batch norm stays frozen.

PyTorch synchronises batch statistics on GPUs alone; frozen ones make processes comparable here.
"""

import sys
from pathlib import Path

import torch

from monodepth_ros.learning.module import DepthLearning
from monodepth_ros.learning.recipe_file import load_recipe
from monodepth_ros.learning.run import train


def freeze_batchnorm(module: DepthLearning) -> None:
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.eval()


if __name__ == "__main__":
    torch.set_num_threads(1)
    DepthLearning.on_train_epoch_start = freeze_batchnorm
    recipe, data, run = sys.argv[1:]
    train(load_recipe(recipe), [data], Path(run))
