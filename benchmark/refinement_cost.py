"""What share of a training step the pose solver takes, of SA4Depth with learnt features.

    python benchmark/refinement_cost.py --out results/refinement_cost.json
    python benchmark/refinement_cost.py --features patches     # as the recipe has it

One process, a fixed random batch, the refinement past its warm-up. A step is the forward pass of
all networks, the losses, the backward pass and the optimiser. The solver's time is that of
`refine_pose` alone, forward and backward, on the levels of the same batch. Medians over the steps.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from common.learnt_features import LEARNT_FEATURES
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.geometry.feature_alignment import AlignmentLevel, refine_pose
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.optimisation import build_optimizer
from monodepth_ros.learning.recipe.file import load_recipe
from monodepth_ros.learning.recipe.recipe import Recipe

AT_ONCE = ["refinement.warmup_steps=0", "refinement.ramp_steps=0"]


def random_batch(recipe: Recipe, device: torch.device) -> dict[str, Tensor]:
    """Smooth random triplets, moved a little from frame to frame."""
    batch, (height, width) = recipe.trainer.batch_size, recipe.data.size
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(batch, 3, height // 8, width // 8, generator=generator)
    image = F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)
    images = torch.stack([image, image.roll(2, -1), image.roll(-2, -1)], 1).to(device)
    K = torch.tensor([[0.58 * width, 0, 0.5 * width], [0, 1.92 * height, 0.5 * height], [0, 0, 1]])
    K = K.expand(batch, 3, 3).to(device)
    return {"images": images, "jittered": images, "K": K}


def timed(work: Callable[[], None], repeats: int, device: torch.device) -> float:
    """Median seconds of ``work`` after one that does not count."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[1:])[repeats // 2]


def measure(recipe: Recipe, device: torch.device, repeats: int) -> dict[str, object]:
    """Seconds of a step and of its solver."""
    torch.manual_seed(0)
    module = Learner(recipe).to(device).train()
    optimizer = build_optimizer(recipe.optimizer, module.parameter_groups(), fused=True)
    batch = random_batch(recipe, device)
    generator = torch.Generator(device)
    half = recipe.trainer.precision == "bf16"

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss, _ = module.training_loss(batch, 0, generator)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    step_seconds = timed(step, repeats, device)
    levels, T = aligned(module, batch, half)

    def solve() -> None:
        refined = refine_pose(T, levels, recipe.refinement.alignment(), generator)
        refined.T.sum().backward()

    solver_seconds = timed(solve, repeats, device)
    return {
        "size": list(recipe.data.size),
        "batch": recipe.trainer.batch_size,
        "levels": len(levels),
        "iterations": recipe.refinement.iterations,
        "gradient_steps": recipe.refinement.gradient_steps,
        "step_seconds": step_seconds,
        "solver_seconds": solver_seconds,
        "solver_share": solver_seconds / step_seconds,
    }


def aligned(
    module: Learner, batch: dict[str, Tensor], half: bool
) -> tuple[list[AlignmentLevel], Tensor]:
    """The levels, cut off from the networks, and the poses to start from."""
    images, K = batch["images"], batch["K"]
    with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16, enabled=half):
        inverse_depth = module.predictions(images[:, 0])[0][0]
        weight = torch.ones_like(inverse_depth)
        levels = module.refiner.levels(inverse_depth, images, K, weight)
        T = torch.stack(module.relative_poses(images), 1).flatten(0, 1).clone()
    for level in levels:
        learnt: list[Tensor | float | None] = [level.damping]
        if module.refiner.feature_net is not None:
            learnt += [level.target, level.source, level.source_weight]
        if not module.recipe.refinement.detach_depth:
            learnt.append(level.depth)
        for value in learnt:
            if isinstance(value, Tensor):
                value.requires_grad_()
    return levels, T.requires_grad_()


def main() -> None:
    """Print the share, and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--features", choices=["learnt", "patches"], default="learnt")
    parser.add_argument("--set", action="append", default=[], help="a recipe key")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    features = LEARNT_FEATURES if arguments.features == "learnt" else ()
    recipe = load_recipe("sa4depth", [*features, *AT_ONCE, *arguments.set])
    figures = measure(recipe, torch.device(arguments.device), arguments.repeats)
    figures |= {
        "features": arguments.features,
        "threads": arguments.threads,
        "device": arguments.device,
        "torch": torch.__version__,
    }
    text = json.dumps(figures, indent=1)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
