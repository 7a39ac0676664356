"""Every way in shows the networks the same image: one frame, one depth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from typer.testing import CliRunner

from monodepth_ros.cli.app import app
from monodepth_ros.data.bags.recorded_frames import frames_of_sequence
from monodepth_ros.data.images.file import RgbImage
from monodepth_ros.data.layouts.sequence_folder import FolderSequence, SequenceWriter
from monodepth_ros.data.samples.frame_cache import cache_sequence
from monodepth_ros.evaluation.depth_protocol import PROTOCOLS
from monodepth_ros.evaluation.predictions import predicted_disparity
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.image_size import resize_batch, resize_image
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.engines.base import Frames
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.learning.initial_weights import load_initial_weights
from monodepth_ros.learning.learner import Learner
from monodepth_ros.learning.recipe.file import load_recipe
from monodepth_ros.learning.teacher import Teacher
from monodepth_ros.learning.tuning.tune import settings_of_model
from monodepth_ros.zoo.catalogue import resolve

HEIGHT, WIDTH = 240, 320
CAMERA = PinholeCamera.from_focal_length(WIDTH, HEIGHT, 260.0, 260.0, 159.5, 119.5)
SIZE = (128, 192)


def picture() -> RgbImage:
    """Hard edges and fine texture, where kernels differ most."""
    rng = np.random.default_rng(3)
    rgb = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    rgb[60:180, 80:200] = np.kron(rng.integers(0, 256, (12, 12, 3), np.uint8), np.ones((10, 10, 1)))
    rgb[180:, :100] = 255
    return rgb


def seen(device: str = "cpu") -> Frames:
    """What a live frame becomes."""
    return load_engine("demo", device=device, size=SIZE).prepare(picture()[None])


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "still"
    with SequenceWriter(path, CAMERA, fps=10, image_format="png") as writer:
        writer.add(picture(), np.full((HEIGHT, WIDTH), 2.0, np.float32), np.eye(4))
    return path


@pytest.fixture(scope="module")
def reference() -> NDArray[np.float32]:
    """Disparity at the network's size, as the nodes ask for it."""
    return DepthEstimator("demo", "cpu", output_size="network").estimate(picture()).disparity


def test_evaluation(recording: Path, reference: NDArray[np.float32]) -> None:
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    sequence = FolderSequence(recording)
    disparity = predicted_disparity(estimator, sequence, 0, PROTOCOLS["plain"], flip=False)
    np.testing.assert_array_equal(disparity, reference)


def test_prediction(recording: Path, reference: NDArray[np.float32], tmp_path: Path) -> None:
    image = next((recording / "images").iterdir())
    arguments = ["predict", str(image), "--out", str(tmp_path), "--device", "cpu"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    depth = np.load(next(tmp_path.glob("*_depth.npy")))
    # The inverse depth is what is enlarged.
    small = torch.from_numpy(reference)[None, None]
    large = F.interpolate(small, (HEIGHT, WIDTH), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(1 / depth, large[0, 0], rtol=1e-4)


def test_replay(recording: Path, reference: NDArray[np.float32]) -> None:
    from collections import Counter

    (frame,) = frames_of_sequence(FolderSequence(recording), Counter(), {})
    assert frame is not None
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    np.testing.assert_array_equal(estimator.estimate(frame.rgb, frame.camera).disparity, reference)


def test_depth_node(reference: NDArray[np.float32]) -> None:
    pytest.importorskip("sensor_msgs", reason="no ROS 2 messages: install the extra [ros]")
    from std_msgs.msg import Header

    from monodepth_ros.data.bags.messages.image import decode_depth
    from monodepth_ros.nodes.camera.depth_pipeline import DepthPipeline
    from monodepth_ros.nodes.conversions.camera_info import info_of_camera
    from monodepth_ros.nodes.conversions.images import encode_image
    from monodepth_ros.nodes.conversions.rectified_frames import FrameRectifier

    header = Header(frame_id="camera")
    frame = FrameRectifier().frame(
        encode_image(picture(), "bgr8", header), info_of_camera(CAMERA, header)
    )
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    prediction = estimator.estimate(frame.rgb, frame.camera)
    depth = DepthPipeline().messages(frame, prediction, {"depth/image_rect"})["depth/image_rect"]
    np.testing.assert_array_equal(decode_depth(depth), 1 / reference)


def test_training_and_what_judges_it(
    recording: Path, reference: NDArray[np.float32], tmp_path: Path
) -> None:
    """Frames of the cache are what the trained networks, their teacher and their judge see."""
    cached = cache_sequence(FolderSequence(recording), SIZE, False, tmp_path / "cache")
    stored = torch.from_numpy(cached.images.array[0].copy())[None]
    np.testing.assert_array_equal(stored.permute(0, 2, 3, 1), seen().pixels())
    stored = stored.float() / 255.0
    # Not to the bit: the engine has folded its batch norms.
    taught = Teacher(resolve("demo"), SIZE).depth(stored)[0, 0]
    np.testing.assert_allclose(taught, 1 / reference, rtol=1e-4)
    settings = settings_of_model(resolve("demo"), load_recipe("finetune"))
    recipe = load_recipe("finetune", settings)
    judge = Learner(recipe).eval()
    load_initial_weights(judge, recipe.networks)
    with torch.no_grad():
        judged = 1 / judge.predictions(stored)[0][0][0, 0]
    np.testing.assert_allclose(judged, 1 / reference, rtol=1e-4)


def test_one_image_at_a_time_or_many() -> None:
    batch = torch.from_numpy(np.stack([picture(), picture()[::-1].copy()])).permute(0, 3, 1, 2)
    for image, rgb in zip(resize_batch(batch, SIZE), (picture(), picture()[::-1]), strict=True):
        np.testing.assert_array_equal(image.permute(1, 2, 0), resize_image(rgb, SIZE))


def test_bytes_differ_from_floats_by_one_grey_level() -> None:
    """Floats are what a CUDA device resizes."""
    image = torch.from_numpy(picture()).permute(2, 0, 1)[None]
    floats = F.interpolate(image.float(), SIZE, mode="bilinear", antialias=True)
    difference = (resize_batch(image, SIZE).float() - floats.round()).abs()
    assert difference.max() <= 1 and (difference > 0).float().mean() < 0.2


@pytest.mark.gpu
def test_a_cuda_device_sees_the_same_within_one_grey_level() -> None:
    live, on_cpu = (seen(device).pixels().astype(int) for device in ("cuda", "cpu"))
    assert np.abs(live - on_cpu).max() <= 1
