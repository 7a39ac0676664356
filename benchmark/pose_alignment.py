"""How much nearer to the truth the training's solver brings disturbed poses, feature by feature.

    python benchmark/pose_alignment.py --data PATH --stride 12 --features random patches RUN

True depth, and true motions that are disturbed: turned by ``--degrees`` about a random axis, and
their translation changed by ``--share`` of its length in a random direction. ``random`` is the
feature network of SA4Depth with random weights, ``patches`` needs no network, and a
run folder of `monodepth train` brings the features, confidences and damping that it has learnt.
Errors are medians over the pairs; that of the image is how far the truth and the pose place the
same pixels apart, the median over pixels, in pixels of the recording's own width.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from common.learnt_features import LEARNT_FEATURES
from torch import Tensor
from torch.nn import functional as F

from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.samples.triplets import TripletDataset
from monodepth_ros.geometry import se3
from monodepth_ros.geometry.projection import backproject, project, transform
from monodepth_ros.learning.pose_refiner import PoseRefiner
from monodepth_ros.learning.recipe.file import load_recipe
from monodepth_ros.learning.run.checkpoints import LAST, read_checkpoint
from monodepth_ros.learning.run.record import RECIPE
from monodepth_ros.networks.depth_network import with_encoder
from monodepth_ros.networks.registry import build_depth_network

DEPTH_RANGE = 0.1, 100.0  # of true depth, metres


@dataclass(frozen=True)
class Errors:
    """Medians over the pairs."""

    rotation_degrees: float
    translation_share: float  # of the true translation's length
    image_pixels: float


def refiner_of(name: str) -> PoseRefiner:
    """The refiner of a run or of a kind of features."""
    run = Path(name)
    recipe = load_recipe(run / RECIPE) if run.is_dir() else load_recipe("sa4depth", LEARNT_FEATURES)
    settings = recipe.refinement
    if name == "patches":
        settings = settings.model_copy(update={"feat_source": "patches"})
    elif name == "random":
        settings = settings.model_copy(update={"feat_source": "own"})
    network = build_depth_network(recipe.networks.architecture, *DEPTH_RANGE)
    depth_net = with_encoder(network, "this program").eval()
    refiner = PoseRefiner(settings, depth_net.encoder)
    if run.is_dir():
        weights = read_checkpoint(run / LAST)["weights"]
        for part, prefix in ((refiner, "refiner."), (depth_net, "depth_net.")):
            part.load_state_dict(
                {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
            )
    # Random normalisation statistics are of nobody: those of the batch.
    return refiner.train(name == "random")


def disturbed(T: Tensor, degrees: float, share: float, generator: torch.Generator) -> Tensor:
    """``(B, N, 4, 4)`` turned and moved in random directions."""
    axis, direction = torch.randn(2, *T.shape[:2], 3, generator=generator)
    turn = F.normalize(axis, dim=-1) * torch.tensor(degrees).deg2rad()
    length = share * T[..., :3, 3].norm(dim=-1, keepdim=True)
    out = T.clone()
    out[..., :3, :3] = se3.from_axis_angle_translation(turn, turn * 0)[..., :3, :3] @ T[..., :3, :3]
    out[..., :3, 3] = T[..., :3, 3] + F.normalize(direction, dim=-1) * length
    return out


def pair_errors(T: Tensor, truth: Tensor, depth: Tensor, K: Tensor) -> Tensor:
    """``(B * N, 3)`` rotation in degrees, translation as a share, pixels at K's size."""
    left_over = se3.inverse(truth) @ T
    turn = se3.axis_angle_from_rotation(left_over[..., :3, :3]).norm(dim=-1).rad2deg()
    length = truth[..., :3, 3].norm(dim=-1)
    share = (T[..., :3, 3] - truth[..., :3, 3]).norm(dim=-1) / length
    points = backproject(depth, K)
    apart = []
    for number in range(T.shape[1]):
        pixels = [project(transform(pose[:, number], points), K)[0] for pose in (T, truth)]
        distance = (pixels[0] - pixels[1]).norm(dim=1).flatten(1)
        distance[~depth.flatten(1).isfinite()] = torch.nan
        apart.append(distance.nanmedian(1).values)
    return torch.stack([turn, share, torch.stack(apart, 1)], -1).flatten(0, 1)


@torch.no_grad()
def measure(arguments: argparse.Namespace, names: list[str]) -> dict[str, Errors]:
    """The disturbed poses' errors, and those that each kind of feature leaves."""
    sequences = open_sequence(arguments.data)
    size = (arguments.height, arguments.width)
    data = TripletDataset(
        sequences, size, arguments.stride, depth=True, cache=arguments.cache, motions=True
    )
    width = sequences[0].image(0).shape[1]
    picked = torch.linspace(0, len(data) - 1, arguments.pairs // 2).round().int().unique().tolist()
    generator = torch.Generator().manual_seed(arguments.seed)
    refiners = {Path(name).name: refiner_of(name) for name in names}
    found: dict[str, list[Tensor]] = {"disturbed": [], **{name: [] for name in refiners}}
    for chunk in (picked[i : i + 8] for i in range(0, len(picked), 8)):
        samples = [data[i] for i in chunk]
        images, K, depth, truth = (
            torch.stack([sample[key] for sample in samples])
            for key in ("images", "K", "depth", "T_neighbour_target")
        )
        images = images.float() / 255
        depth = torch.where(depth > 0, depth, torch.nan)
        start = disturbed(truth, arguments.degrees, arguments.share, generator)
        poses = {"disturbed": start}
        for name, refiner in refiners.items():
            poses[name] = refiner(start, 1 / depth, images, K, generator).T
        for name, T in poses.items():
            found[name].append(
                pair_errors(T, truth, depth, K) * torch.tensor([1, 1, width / size[1]])
            )
    medians = {name: torch.cat(errors).nanmedian(0).values for name, errors in found.items()}
    return {name: Errors(*median.tolist()) for name, median in medians.items()}


def main() -> None:
    """Print a line for each kind of feature, and write all of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--features", nargs="+", default=["random", "patches"])
    parser.add_argument("--stride", type=int, default=12)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=80)
    parser.add_argument("--degrees", type=float, default=1.0)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    errors = measure(arguments, arguments.features)
    for name, error in errors.items():
        print(
            f"{name:12s} {error.rotation_degrees:.3f} deg, {100 * error.translation_share:.1f} %,"
            f" {error.image_pixels:.2f} px"
            f" ({errors['disturbed'].image_pixels / error.image_pixels:.1f} times less)"
        )
    if arguments.out is not None:
        kept = ("stride", "width", "height", "pairs", "degrees", "share", "seed")
        report = {"data": Path(arguments.data).name, **{k: vars(arguments)[k] for k in kept}}
        figures = {name: asdict(error) for name, error in errors.items()}
        arguments.out.write_text(
            json.dumps({"arguments": report, "errors": figures}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
