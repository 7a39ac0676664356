"""Published networks give what transformers' own pipeline gives, at the image's size."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from depth_anything_reading import Reading
from foundation import CONFIGS, IMAGENET, tiny_published
from numpy.typing import NDArray
from PIL import Image
from published_pipeline import published_depth
from safetensors.torch import load_file
from torch.nn import functional as F

from monodepth_ros.inference.depth_estimator import DepthEstimator, DepthRequest
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.networks.published import preparation
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.importers.huggingface import adopt
from monodepth_ros.zoo.weights import load_networks

RELATIVE = {"depth_anything", "dpt"}  # what grows there is nearness
TOLERANCE = 1e-4


def picture(width: int = 173, height: int = 121) -> NDArray[np.uint8]:
    """Smooth patches of colour and fine noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (13, 17, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    return (smooth + rng.integers(-8, 9, smooth.shape)).clip(0, 255).astype(np.uint8)


def estimated(folder: Path, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """In the direction of the published output."""
    found = DepthEstimator(load_engine(folder, "torch", "cpu")).estimate(rgb)
    return found.disparity if folder.name in RELATIVE else found.depth


@pytest.mark.parametrize("kind", CONFIGS)
def test_it_is_what_transformers_gives(kind: str, tmp_path: Path) -> None:
    folder = tiny_published(kind, tmp_path / kind)
    adopt(folder)
    rgb = picture()
    found, expected = estimated(folder, rgb), published_depth(folder, rgb)
    assert found.shape == expected.shape == rgb.shape[:2]
    assert expected.std() > 0.01 * expected.mean() > 0  # depth is not one number
    valid = expected > 0  # bicubic resizing goes below 0 here and there
    assert valid.mean() > 0.99
    np.testing.assert_allclose(found[valid], expected[valid], TOLERANCE, TOLERANCE * expected.std())


@pytest.mark.parametrize("kind", ["depth_anything", "depth_anything_metric"])
def test_depth_anything_is_what_an_independent_reading_gives(kind: str, tmp_path: Path) -> None:
    folder = tiny_published(kind, tmp_path / kind)
    adopt(folder)
    rgb = picture(202, 94)  # to 154x70: DPT's rule takes the nearer factor
    small = np.asarray(Image.fromarray(rgb).resize((154, 70), Image.Resampling.BICUBIC))
    image = torch.from_numpy(small / 255).permute(2, 0, 1)[None]
    mean, std = (torch.tensor(IMAGENET[f"image_{key}"]).double() for key in ("mean", "std"))
    image = (image - mean[:, None, None]) / std[:, None, None]
    config = json.loads((folder / "config.json").read_text())
    said = Reading(load_file(folder / "model.safetensors"), config)(image)
    expected = F.interpolate(said[None, None], rgb.shape[:2], mode="bicubic")[0, 0].numpy()
    found = estimated(folder, rgb)
    np.testing.assert_allclose(found, expected, TOLERANCE, TOLERANCE * expected.std())


@pytest.mark.parametrize("kind", ["zoedepth", "zoedepth_two_domains", "depth_pro", "chmv2"])
def test_images_of_a_batch_do_not_change_each_other(kind: str, tmp_path: Path) -> None:
    """ZoeDepth's images would vote for indoors or outdoors together."""
    folder = tiny_published(kind, tmp_path / kind)
    adopt(folder)
    engine = load_engine(folder, "torch", "cpu")
    images = np.stack([picture(96, 64), 255 - picture(96, 64), np.zeros((64, 96, 3), np.uint8)])
    together = engine.inverse_depth(engine.prepare(images))
    alone = np.concatenate([engine.inverse_depth(engine.prepare(one[None])) for one in images])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


class Fixed(torch.nn.Module):
    """Says the same of everything."""

    def __init__(self, said: torch.Tensor) -> None:
        super().__init__()
        self.said = said

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return self.said


def test_each_image_has_its_own_domain(tmp_path: Path) -> None:
    """Both heads are seen to be used, each by the images that ask for it."""
    folder = tiny_published("zoedepth_two_domains", tmp_path / "tiny")
    adopt(folder)
    network = load_networks(folder, load_card(folder))["depth"].eval()
    head = network.model.metric_head
    image = torch.rand(2, 3, 64, 96)
    depths = []
    for logits in ([[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]):
        head.classifier = Fixed(torch.tensor(logits))
        with torch.no_grad():
            depths.append(network.finest(image))
    indoors, outdoors, mixed = depths
    assert not torch.allclose(indoors, outdoors, rtol=1e-3)
    torch.testing.assert_close(mixed, torch.stack([indoors[0], outdoors[1]]))


def test_a_portrait_and_a_landscape_have_sizes_of_their_own(tmp_path: Path) -> None:
    folder = tiny_published("depth_anything_metric", tmp_path / "tiny")
    adopt(folder)
    estimator = DepthEstimator(load_engine(folder, "torch", "cpu"))
    images = [picture(), np.ascontiguousarray(picture().transpose(1, 0, 2)), picture()]
    sizes = [estimator.engine.prepare(image[None]).size for image in images]
    assert sizes == [(70, 98), (98, 70), (70, 98)]
    found = estimator.estimate_batch([DepthRequest(image, None, True) for image in images])
    for image, one in zip(images, found, strict=True):
        assert one.depth.shape == image.shape[:2]
        np.testing.assert_allclose(one.depth, estimator.estimate(image).depth, rtol=1e-5)


def test_files_say_more_than_the_defaults_of_classes() -> None:
    """Depth Anything's file differs from DPT's class in all of these."""
    config = {"model_type": "depth_anything"}
    by_class = preparation(config, {})
    assert (by_class.size, by_class.keep_aspect, by_class.multiple) == ((384, 384), False, 1)
    assert (by_class.mean, by_class.kernel) == ((0.5, 0.5, 0.5), "bicubic")
    by_file = preparation(
        config, {"size": 518, "keep_aspect_ratio": True, "ensure_multiple_of": 14, **IMAGENET}
    )
    assert (by_file.size, by_file.keep_aspect, by_file.multiple) == ((518, 518), True, 14)
    assert by_file.mean == (0.485, 0.456, 0.406)


def test_published_sizes_of_depth_anything(tmp_path: Path) -> None:
    """Methods G: 640x480 becomes 686x518, and a street's 1242x375 becomes 1722x518."""
    folder = tiny_published("depth_anything", tmp_path / "tiny")
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "size": 518}))
    card = adopt(folder)
    assert card.usual_size == card.size_for((480, 640)) == (518, 686)
    assert card.size_for((375, 1242)) == (518, 1722)
    assert card.size_for((1080, 1920)) == (518, 924)
