"""Random crops: pixels, depth and intrinsics stay one geometry."""

import torch

from monodepth_ros.data.samples.augmentation import Augmentation
from monodepth_ros.data.samples.random_crop import Crops
from monodepth_ros.geometry.projection import backproject, project

HEIGHT, WIDTH = 24, 32
K = torch.tensor([[[30.0, 0, 14.0], [0, 31.0, 12.5], [0, 0, 1]]])


def draw(count: int = 1, smallest: float = 0.5, aspect: float = 0.2) -> Crops:
    generator = torch.Generator().manual_seed(5)
    return Crops.draw(count, HEIGHT, WIDTH, smallest, aspect, generator)


def ramp() -> torch.Tensor:
    """An image whose two channels are its own pixel coordinates."""
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    return torch.stack([x, y])[None].float()


def test_crops_stay_inside_the_image_and_above_the_smallest_share() -> None:
    crops = draw(200)
    last = crops.origin + crops.step * torch.tensor([WIDTH - 1.0, HEIGHT - 1.0])
    assert (crops.origin >= 0).all()
    assert (last <= torch.tensor([WIDTH - 1.0, HEIGHT - 1.0]) + 1e-4).all()
    assert crops.step.min() >= 0.5 / 1.2**0.5 - 1e-6 and crops.step.max() <= 1
    ratio = crops.step[:, 0] / crops.step[:, 1]
    assert ratio.max() <= 1.2 + 1e-5 and ratio.std() > 0.01


def test_a_ray_of_the_crop_is_the_ray_of_the_image_pixel_it_came_from() -> None:
    crops = draw()
    source = crops.images(ramp())  # where each pixel of the crop lies in the image
    depth = torch.full((1, 1, HEIGHT, WIDTH), 2.0)
    points = backproject(depth, crops.intrinsics(K))
    pixels, _ = project(points, K)
    torch.testing.assert_close(pixels, source, rtol=1e-4, atol=1e-3)


def test_depth_is_not_mixed_and_frames_share_the_crop() -> None:
    generator = torch.Generator().manual_seed(0)
    depth = torch.where(ramp()[:, :1] % 2 == 0, 1.0, torch.nan)
    image = (ramp().repeat(1, 2, 1, 1)[:, :3] * 5).to(torch.uint8)
    batch = {"images": image[:, None].repeat(1, 3, 1, 1, 1), "K": K, "depth": depth}
    result = Augmentation(flip=0.0, jitter=0.0, crop=0.6)(batch, generator)
    assert set(result["depth"][~result["depth"].isnan()].tolist()) == {1.0}
    assert torch.equal(result["images"][:, 0], result["images"][:, 2])
    assert not torch.equal(result["K"], K)


def test_no_crop_by_default() -> None:
    image = torch.randint(0, 256, (2, 3, 3, HEIGHT, WIDTH), dtype=torch.uint8)
    batch = {"images": image, "K": K.repeat(2, 1, 1)}
    result = Augmentation(flip=0.0, jitter=0.0)(batch)
    torch.testing.assert_close(result["images"], image / 255)
    torch.testing.assert_close(result["K"], batch["K"])
