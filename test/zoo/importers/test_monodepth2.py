"""Imported public-format weights compute what the papers' definition says.

The reference below is written from the definition with `torch.nn.functional` alone, straight on
the public files' keys, and shares nothing with the package.
"""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.networks.registry import (
    build_depth_network,
    build_pose_network,
    find_architecture,
)
from monodepth_ros.zoo.card import load_card
from monodepth_ros.zoo.importers.monodepth2 import import_monodepth2
from monodepth_ros.zoo.weights import load_weights

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
WIDTHS = (64, 128, 256, 512)


def weight(*shape: int) -> Tensor:
    return torch.randn(shape) * math.sqrt(1.5 / math.prod(shape[1:]))


def norm_entries(prefix: str, channels: int) -> dict[str, Tensor]:
    return {
        f"{prefix}.weight": 0.3 + 0.4 * torch.rand(channels),
        f"{prefix}.bias": 0.1 * torch.randn(channels),
        f"{prefix}.running_mean": 0.1 * torch.randn(channels),
        f"{prefix}.running_var": 0.5 + torch.rand(channels),
        f"{prefix}.num_batches_tracked": torch.tensor(7),
    }


def encoder_file(layers: int, images: int) -> dict[str, Tensor]:
    """All entries of a torchvision ResNet behind `encoder.`, the classifier included."""
    e = {"encoder.conv1.weight": weight(64, 3 * images, 7, 7), **norm_entries("encoder.bn1", 64)}
    expansion = 4 if layers == 50 else 1
    before = 64
    for stage, (width, count) in enumerate(zip(WIDTHS, BLOCKS[layers], strict=True), 1):
        for block in range(count):
            p = f"encoder.layer{stage}.{block}"
            out = width * expansion
            if layers == 50:
                shapes = [(width, before, 1, 1), (width, width, 3, 3), (out, width, 1, 1)]
            else:
                shapes = [(width, before, 3, 3), (width, width, 3, 3)]
            for i, shape in enumerate(shapes, 1):
                e[f"{p}.conv{i}.weight"] = weight(*shape)
                e.update(norm_entries(f"{p}.bn{i}", shape[0]))
            if block == 0 and (stage > 1 or before != out):
                e[f"{p}.downsample.0.weight"] = weight(out, before, 1, 1)
                e.update(norm_entries(f"{p}.downsample.1", out))
            before = out
    e["encoder.fc.weight"], e["encoder.fc.bias"] = weight(1000, before), torch.zeros(1000)
    return e


def depth_file(encoder_channels: tuple[int, ...]) -> dict[str, Tensor]:
    d = (16, 32, 64, 128, 256)
    entries: dict[str, Tensor] = {}

    def add(n: str, inside: int, outside: int) -> None:
        entries[f"decoder.{n}.weight"] = weight(outside, inside, 3, 3)
        entries[f"decoder.{n}.bias"] = 0.1 * torch.randn(outside)

    n = 0
    for i in (4, 3, 2, 1, 0):
        add(f"{n}.conv.conv", encoder_channels[4] if i == 4 else d[i + 1], d[i])
        add(f"{n + 1}.conv.conv", d[i] + (encoder_channels[i - 1] if i else 0), d[i])
        n += 2
    for i in range(4):
        add(f"{n + i}.conv", d[i], 1)
    return entries


def pose_file(channels: int) -> dict[str, Tensor]:
    shapes = [(256, channels, 1, 1), (256, 256, 3, 3), (256, 256, 3, 3), (12, 256, 1, 1)]
    entries = {f"net.{i}.weight": weight(*shape) for i, shape in enumerate(shapes)}
    return entries | {f"net.{i}.bias": 0.1 * torch.randn(s[0]) for i, s in enumerate(shapes)}


def reference_encoder(e: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    def norm(x: Tensor, p: str) -> Tensor:
        mean, var = e[f"{p}.running_mean"], e[f"{p}.running_var"]
        return F.batch_norm(x, mean, var, e[f"{p}.weight"], e[f"{p}.bias"])

    def block(x: Tensor, p: str, stride: int) -> Tensor:
        bottleneck = f"{p}.conv3.weight" in e
        strides = (1, stride, 1) if bottleneck else (stride, 1)
        y = x
        for i, s in enumerate(strides, 1):
            w = e[f"{p}.conv{i}.weight"]
            y = norm(F.conv2d(y, w, stride=s, padding=w.shape[-1] // 2), f"{p}.bn{i}")
            if i < len(strides):
                y = F.relu(y)
        if f"{p}.downsample.0.weight" in e:
            shortcut = F.conv2d(x, e[f"{p}.downsample.0.weight"], stride=stride)
            x = norm(shortcut, f"{p}.downsample.1")
        return F.relu(x + y)

    x = (x - 0.45) / 0.225
    x = F.conv2d(x, e["encoder.conv1.weight"], stride=2, padding=3)
    features = [F.relu(norm(x, "encoder.bn1"))]
    x = F.max_pool2d(features[0], 3, 2, 1)
    for stage in (1, 2, 3, 4):
        n = 0
        while f"encoder.layer{stage}.{n}.conv1.weight" in e:
            x = block(x, f"encoder.layer{stage}.{n}", 2 if stage > 1 and n == 0 else 1)
            n += 1
        features.append(x)
    return features


def reference_disparities(d: dict[str, Tensor], features: list[Tensor]) -> list[Tensor]:
    def conv3x3(x: Tensor, p: str) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, d[f"{p}.weight"], d[f"{p}.bias"])

    disparities: dict[int, Tensor] = {}
    x = features[4]
    for i in (4, 3, 2, 1, 0):
        n = 2 * (4 - i)
        x = F.elu(conv3x3(x, f"decoder.{n}.conv.conv"))
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        if i > 0:
            x = torch.cat([x, features[i - 1]], 1)
        x = F.elu(conv3x3(x, f"decoder.{n + 1}.conv.conv"))
        if i < 4:
            disparities[i] = torch.sigmoid(conv3x3(x, f"decoder.{10 + i}.conv"))
    return [disparities[i] for i in range(4)]


def reference_pose(p: dict[str, Tensor], feature: Tensor) -> Tensor:
    x = F.relu(F.conv2d(feature, p["net.0.weight"], p["net.0.bias"]))
    x = F.relu(F.conv2d(x, p["net.1.weight"], p["net.1.bias"], padding=1))
    x = F.relu(F.conv2d(x, p["net.2.weight"], p["net.2.bias"], padding=1))
    x = F.conv2d(x, p["net.3.weight"], p["net.3.bias"])
    return 0.01 * x.mean(3).mean(2).view(-1, 2, 1, 6)[:, 0, 0]


def write_release(folder, layers: int = 18, height: int = 64, width: int = 96):
    """The four files with random weights, as the release stores them."""
    torch.manual_seed(3)
    expansion = 4 if layers == 50 else 1
    pose_layers = find_architecture(f"monodepth2-resnet{layers}").pose.settings["layers"]
    files = {
        "encoder": encoder_file(layers, 1),
        "depth": depth_file((64, *(expansion * w for w in WIDTHS))),
        "pose_encoder": encoder_file(pose_layers, 2),
        "pose": pose_file(2048 if pose_layers == 50 else 512),
    }
    files["encoder"].update(height=height, width=width, use_stereo=False)
    folder.mkdir()
    for name, content in files.items():
        torch.save(content, folder / f"{name}.pth")
    return files


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """(folder, contents) of one release, written once; not to be changed."""
    folder = tmp_path_factory.mktemp("weights") / "release"
    return folder, write_release(folder)


@pytest.fixture
def source(release, tmp_path):
    """A folder of links to the release, whose files a test may replace."""
    folder = tmp_path / "source"
    folder.mkdir()
    for path in release[0].iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def replace(folder, name: str, content, **options) -> None:
    path = folder / f"{name}.pth"
    path.unlink()
    torch.save(content, path, **options)


@pytest.mark.parametrize("layers", [18, 50])
def test_outputs_equal_the_reference_definition(tmp_path, layers):
    files = write_release(tmp_path / "release", layers)
    folder = tmp_path / "model"
    card = import_monodepth2(tmp_path / "release", folder, "imported")
    assert card == load_card(folder)
    assert (card.architecture, card.size) == (f"monodepth2-resnet{layers}", (64, 96))
    assert (card.min_depth, card.max_depth, card.scale) == (0.1, 100.0, "relative")
    assert "non-commercial" in card.licence

    bytes_ = torch.randint(0, 256, (2, 2, 64, 96, 3), dtype=torch.uint8)
    first, second = bytes_.permute(0, 1, 4, 2, 3) / 255
    features = reference_encoder(files["encoder"], first)
    expected = reference_disparities(files["depth"], features)
    pair = reference_encoder(files["pose_encoder"], torch.cat([first, second], 1))
    motion = reference_pose(files["pose"], pair[4])

    states = load_weights(folder, card)
    depth_net, pose_net = (
        build_depth_network(card.architecture, 0.1, 100.0),
        build_pose_network(card.architecture),
    )
    depth_net.load_state_dict(states["depth"])
    pose_net.load_state_dict(states["pose"])
    depth_net.eval()
    pose_net.eval()
    with torch.no_grad():
        actual = [(r - 0.01) / 9.99 for r in depth_net(first).inverse_depth]
        axis_angle, translation = pose_net(first, second)
    # Differences that the sigmoid hides would show here.
    assert all(e.std() > 0.01 for e in expected)
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        torch.cat([axis_angle, translation], 1), motion, atol=1e-6, rtol=1e-5
    )

    engine = load_engine(folder, device="cpu")
    frames = [engine.prepare(images.numpy()) for images in bytes_]
    disparity = 0.01 + (10 - 0.01) * expected[0][:, 0]  # 0.1 to 100 m
    np.testing.assert_allclose(engine.inverse_depth(frames[0]), disparity, atol=1e-4)
    np.testing.assert_allclose(engine.motion(*frames), motion, atol=1e-6, rtol=1e-5)


def test_older_and_newer_files_are_tolerated(tmp_path, release, source):
    """Old PyTorch wrote another container without num_batches_tracked; some drop the classifier."""
    files = release[1]
    for name in ("encoder", "pose_encoder"):
        kept = {k: v for k, v in files[name].items() if "num_batches" not in k and ".fc." not in k}
        replace(source, name, kept, _use_new_zipfile_serialization=False)
    card = import_monodepth2(source, tmp_path / "old", "old", size=(96, 64))
    assert card.size == (96, 64)
    image = torch.randint(0, 256, (1, 96, 64, 3), dtype=torch.uint8)
    features = reference_encoder(files["encoder"], image.permute(0, 3, 1, 2) / 255)
    expected = 0.01 + (10 - 0.01) * reference_disparities(files["depth"], features)[0][:, 0]
    engine = load_engine(tmp_path / "old", device="cpu")
    actual = engine.inverse_depth(engine.prepare(image.numpy()))
    np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_stereo_weights_are_metric(tmp_path, release, source):
    stereo = {"use_stereo": True, "height": 192, "width": 640}
    replace(source, "encoder", release[1]["encoder"] | stereo)
    (source / "pose.pth").unlink()
    (source / "pose_encoder.pth").unlink()
    with pytest.raises(UserError, match=r"lacks pose_encoder.pth, pose.pth; --depth-only"):
        import_monodepth2(source, tmp_path / "model", "stereo")
    card = import_monodepth2(source, tmp_path / "model", "stereo", with_pose=False)
    assert (card.scale, card.factor) == ("metric", 5.4)
    assert card.focal_length == pytest.approx(math.sqrt(371.2 * 368.64))
    assert load_weights(tmp_path / "model", card).keys() == {"depth"}


@pytest.mark.parametrize("missing", ["encoder", "depth", "pose_encoder", "pose"])
def test_a_missing_file_is_named_and_nothing_written(tmp_path, source, missing):
    (source / f"{missing}.pth").unlink()
    with pytest.raises(UserError, match=f"lacks {missing}.pth"):
        import_monodepth2(source, tmp_path / "model", "m")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("encoder", {"encoder.conv1.weight": torch.ones(64, 6, 7, 7)}, "encoder.pth: conv1.weight"),
        ("depth", {"decoder.10.conv.weight": torch.ones(2, 16, 3, 3)}, "depth.pth: disparity.0"),
        ("depth", {"decoder.14.conv.weight": torch.ones(1)}, "unexpected entry decoder.14"),
        ("pose", {"net.3.bias": torch.ones(6)}, "pose.pth: pose.bias has shape"),
        ("pose_encoder", {"encoder.bn1.weight": torch.ones(3)}, "pose_encoder.pth: bn1.weight"),
        ("encoder", {"height": None}, "encoder.pth: states no input size"),
        ("encoder", {"height": 190}, "encoder.pth: input size 96x190"),
        ("encoder", {"encoder.bn1.bias": torch.full((64,), math.nan)}, "not finite"),
    ],
)
def test_another_content_is_refused_and_nothing_written(
    tmp_path, release, source, name, change, complaint
):
    replace(source, name, release[1][name] | change)
    with pytest.raises(UserError, match=complaint):
        import_monodepth2(source, tmp_path / "model", "m")
    assert not (tmp_path / "model").exists()


class Payload:
    """Runs code when unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


@pytest.mark.parametrize("content", [Payload(), [1, 2], {"a": Payload()}])
def test_only_weights_are_read(tmp_path, source, content):
    replace(source, "depth", content)
    with pytest.raises(UserError, match="depth.pth"):
        import_monodepth2(source, tmp_path / "model", "m")


@pytest.mark.parametrize("kept", [0, 10, 5000])
def test_a_truncated_file_is_refused(tmp_path, source, kept):
    content = (source / "pose.pth").read_bytes()
    (source / "pose.pth").unlink()
    (source / "pose.pth").write_bytes(content[:kept])
    with pytest.raises(UserError, match=r"pose\.pth: not a PyTorch weights file"):
        import_monodepth2(source, tmp_path / "model", "m")
