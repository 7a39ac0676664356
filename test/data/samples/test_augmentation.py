import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from monodepth_ros.data.samples.augmentation import (
    Augmentation,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
    jitter,
    mirror_intrinsics,
)
from monodepth_ros.geometry import se3
from monodepth_ros.geometry.triangulation import rays_of_pixels, triangulate
from monodepth_ros.geometry.warp import sample as sample_at


def batch(count: int = 6, height: int = 10, width: int = 16) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "images": torch.randint(
            0, 256, (count, 3, 3, height, width), generator=generator, dtype=torch.uint8
        ),
        "K": torch.tensor([[20.0, 0, 5.5], [0, 21.0, 4.5], [0, 0, 1]]).repeat(count, 1, 1),
        "depth": torch.rand(count, 1, height, width, generator=generator),
        "index": torch.arange(count),
    }


def colourful() -> Image.Image:
    """Smooth colours, as photographs have: 8-bit HSV is coarse on pure noise."""
    y, x = np.mgrid[0:64, 0:96]
    waves = [np.sin(x / 17 + 1), np.sin(y / 11 + x / 29), np.cos(x / 23 - y / 13)]
    return Image.fromarray((127 + 110 * np.stack(waves, -1)).astype(np.uint8))


def to_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def pillow_hue(image: Image.Image, turns: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    shifted = (np.array(hue).astype(int) + int(turns * 255)) % 256
    channels = (Image.fromarray(shifted.astype(np.uint8)), saturation, value)
    return Image.merge("HSV", channels).convert("RGB")


def levels_apart(ours: torch.Tensor, theirs: Image.Image) -> torch.Tensor:
    return (ours - to_tensor(theirs)).abs() * 255


@pytest.mark.parametrize("factor", [0.8, 0.93, 1.2])
def test_brightness_contrast_saturation_equal_pillow(factor: float) -> None:
    image = colourful()
    for ours, theirs in [
        (adjust_brightness, ImageEnhance.Brightness),
        (adjust_contrast, ImageEnhance.Contrast),
        (adjust_saturation, ImageEnhance.Color),
    ]:
        difference = levels_apart(ours(to_tensor(image), factor), theirs(image).enhance(factor))
        assert difference.max() <= 1.5  # Pillow rounds the mean grey and cuts to whole levels


@pytest.mark.parametrize("turns", [-0.1, 0.04, 0.1])
def test_hue_equals_hsv_arithmetic(turns: float) -> None:
    images = torch.rand(1, 3, 6, 7, dtype=torch.float64)
    shifted = torch.empty_like(images)
    for y, x in np.ndindex(6, 7):
        h, s, v = colorsys.rgb_to_hsv(*images[0, :, y, x].tolist())
        shifted[0, :, y, x] = torch.tensor(colorsys.hsv_to_rgb((h + turns) % 1.0, s, v))
    torch.testing.assert_close(adjust_hue(images, turns), shifted)


@pytest.mark.parametrize("turns", [-0.1, 0.04, 0.1])
def test_hue_equals_pillow_within_its_8_bit_steps(turns: float) -> None:
    image = colourful()
    whole_steps = int(turns * 255) / 255
    difference = levels_apart(adjust_hue(to_tensor(image), whole_steps), pillow_hue(image, turns))
    assert difference.max() <= 11 and difference.mean() <= 2  # 6 levels a step of hue


def test_hue_is_a_rotation() -> None:
    images = torch.rand(2, 3, 3, 8, 8)
    torch.testing.assert_close(adjust_hue(images, 0.0), images)
    torch.testing.assert_close(adjust_hue(images, 1 / 3), images.roll(1, dims=-3))
    torch.testing.assert_close(adjust_hue(adjust_hue(images, 0.07), -0.07), images)
    grey = torch.rand(1, 1, 8, 8).repeat(1, 3, 1, 1)
    torch.testing.assert_close(adjust_hue(grey, 0.1), grey)


def test_order_of_operations_counts() -> None:
    image = colourful()
    factors = torch.tensor([[1.2, 0.8, 1.2, 0.06]]).repeat(2, 1)
    order = torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])
    first, second = jitter(to_tensor(image)[None].repeat(2, 1, 1, 1, 1), factors, order)
    expected = ImageEnhance.Color(
        ImageEnhance.Contrast(ImageEnhance.Brightness(image).enhance(1.2)).enhance(0.8)
    ).enhance(1.2)
    difference = levels_apart(first, pillow_hue(expected, 0.06))
    assert difference.max() <= 16 and difference.mean() <= 2.5
    assert not torch.allclose(first, second)


def test_without_augmentation_images_are_only_converted() -> None:
    given = batch()
    result = Augmentation(flip=0, jitter=0)(given)
    torch.testing.assert_close(result["images"], given["images"] / 255)
    torch.testing.assert_close(result["jittered"], result["images"])
    for name in ("K", "depth", "index"):
        assert torch.equal(result[name], given[name])


def test_draws_are_shared_by_the_frames_and_differ_between_samples() -> None:
    given = batch(count=16)
    given["images"] = given["images"][:1, :1].repeat(16, 3, 1, 1, 1)
    result = Augmentation(flip=0.5, jitter=1.0)(given, torch.Generator().manual_seed(0))
    for name in ("images", "jittered"):
        frames = result[name]
        assert torch.equal(frames[:, 0], frames[:, 1]) and torch.equal(frames[:, 0], frames[:, 2])
    assert len(torch.unique(result["jittered"].flatten(1), dim=0)) == 16
    assert len(torch.unique(result["images"].flatten(1), dim=0)) == 2  # flipped or not


def test_probabilities() -> None:
    given = batch(count=400, height=2, width=4)
    result = Augmentation(flip=0.3, jitter=0.7)(given, torch.Generator().manual_seed(1))
    flipped = (result["K"][:, 0, 2] != given["K"][:, 0, 2]).float().mean()
    jittered = (result["jittered"] != result["images"]).flatten(1).any(1).float().mean()
    assert abs(flipped - 0.3) < 0.08 and abs(jittered - 0.7) < 0.08


def test_same_generator_state_gives_the_same_draws() -> None:
    generator = torch.Generator().manual_seed(7)
    augment = Augmentation()
    augment(batch(), generator)
    state = generator.get_state()
    first = augment(batch(), generator)
    generator.set_state(state)
    second = augment(batch(), generator)
    for name in first:
        assert torch.equal(first[name], second[name])


def test_draws_do_not_depend_on_what_a_sample_needs() -> None:
    """Another probability of jitter leaves the flips as they were."""
    draws = [Augmentation(jitter=p)(batch(), torch.Generator().manual_seed(2))["K"] for p in (0, 1)]
    assert torch.equal(draws[0], draws[1])


def test_flip_moves_a_projected_point_to_the_mirrored_pixel() -> None:
    K = torch.tensor([[[20.0, 0.3, 5.5], [0, 21.0, 4.5], [0, 0, 1]]])
    width, point = 16, torch.tensor([0.4, -0.2, 2.0])
    mirrored_point = point * torch.tensor([-1.0, 1.0, 1.0])
    u, v, z = K[0] @ point
    mirrored = mirror_intrinsics(K, torch.tensor([True]), width)
    mu, mv, mz = mirrored[0] @ mirrored_point
    torch.testing.assert_close(mu / mz, width - 1 - u / z)
    torch.testing.assert_close(mv / mz, v / z)


def test_a_crop_mixes_nothing_invalid_into_what_counts() -> None:
    given = batch()
    given["valid"] = torch.ones_like(given["images"][:, 0, :1], dtype=torch.bool)
    given["valid"][..., :3, :] = False
    given["valid"][..., 6, 7] = False
    other = {**given, "images": torch.where(given["valid"][:, None], given["images"], 0)}
    augment = Augmentation(flip=0.5, jitter=0, crop=0.5)
    one, two = (augment(b, torch.Generator().manual_seed(0)) for b in (given, other))
    assert torch.equal(one["valid"], two["valid"]) and 0.3 < one["valid"].float().mean() < 1
    seen = one["valid"][:, None].expand_as(one["images"])
    assert torch.equal(one["images"][seen], two["images"][seen])
    assert not torch.equal(one["images"], two["images"])


def test_flip_keeps_images_depth_and_validity_together() -> None:
    given = batch()
    given["depth"] = given["images"][:, 0, :1].float()
    given["valid"] = given["images"][:, 0, :1] > 100
    result = Augmentation(flip=0.5, jitter=0)(given, torch.Generator().manual_seed(0))
    torch.testing.assert_close(result["depth"] / 255, result["images"][:, 0, :1])
    assert torch.equal(result["valid"], result["depth"] > 100)
    assert not torch.equal(result["depth"], given["depth"])


def matched_batch(count: int = 8, height: int = 96, width: int = 160) -> dict[str, torch.Tensor]:
    """Matches of points at known places, seen without error; two neighbours."""
    generator = torch.Generator().manual_seed(5)
    sample = batch(count, height, width)
    sample = {name: x.double() if name == "K" else x for name, x in sample.items()}
    sample["K"][:, :2] = torch.tensor([[150.0, 0.4, 70.0], [0.0, 140.0, 50.0]])
    points = torch.rand(count, 2, 25, 3, generator=generator, dtype=torch.float64) - 0.5
    points[..., 2] = 3 + 2 * points[..., 2]
    xi = 0.1 * torch.randn(count, 2, 6, generator=generator, dtype=torch.float64)
    T = se3.exp(xi)
    seen = [points, points @ T[..., :3, :3].mT + T[..., None, :3, 3]]
    pixels = [x @ sample["K"][:, None].mT for x in seen]
    sample["matches"] = torch.stack([p[..., :2] / p[..., 2:] for p in pixels], 2)
    return sample | {"T_matches": T, "points": points}


@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("crop", [{}, {"crop": 0.4, "aspect": 0.3}])
def test_matches_are_where_the_augmented_camera_sees_the_points(flip: float, crop: dict) -> None:
    """Intrinsics, motions and pixels follow one mirror and one crop."""
    before = matched_batch()
    augment = Augmentation(flip=flip, jitter=0.0, **crop)
    after = augment(dict(before), torch.Generator().manual_seed(1))
    # A mirrored camera has its principal point on the other side.
    flipped = (after["T_matches"][:, 0, 0, 3] - before["T_matches"][:, 0, 0, 3]).abs() > 1e-9
    assert flipped.float().mean() == flip or (flip == 0.5 and 0 < flipped.sum() < 8)
    sign = torch.where(flipped, -1.0, 1.0).double()[:, None, None]
    points = before["points"].clone()
    points[..., 0] *= sign
    T = after["T_matches"]
    for side, seen in enumerate((points, points @ T[..., :3, :3].mT + T[..., None, :3, 3])):
        pixels = seen @ after["K"][:, None].mT
        expected = pixels[..., :2] / pixels[..., 2:]
        found = after["matches"][:, :, side]
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-4 if crop else 1e-9)
    rays = [rays_of_pixels(p, after["K"][:, None]) for p in after["matches"].unbind(2)]
    depth = triangulate(*rays, T).first
    clear = triangulate(*rays, T).parallax > 0.01
    torch.testing.assert_close(depth[clear], points[..., 2][clear], rtol=1e-3, atol=0)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_matches_stay_on_what_they_showed(flip: float) -> None:
    """An image that says where each of its pixels was, cropped and mirrored."""
    sample = matched_batch(4)
    height, width = sample["images"].shape[-2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    where = torch.stack([x, y, x * 0]).to(torch.uint8)
    sample["images"] = where.expand(4, 3, 3, height, width)
    size = torch.tensor([width - 1.0, height - 1.0])
    sample["matches"] = size * torch.rand(4, 2, 2, 25, 2, generator=torch.Generator())
    before = sample["matches"].clone()
    augment = Augmentation(flip=flip, jitter=0.0, crop=0.5, aspect=0.2)
    after = augment(sample, torch.Generator().manual_seed(2))
    places = after["matches"][:, :, 0].float().flatten(1, 2)
    inside = ((places >= 0) & (places <= size)).all(-1)
    shown = sample_at(after["images"][:, 0], places.mT[..., None])[:, :2, :, 0].mT * 255
    expected = before[:, :, 0].float().flatten(1, 2)
    assert 0.2 < inside.float().mean() < 0.9
    torch.testing.assert_close(shown[inside], expected[inside], rtol=0, atol=1e-2)
