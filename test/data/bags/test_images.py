"""What images and cameras of a bag are: their encodings, bits, calibrations and rectification."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bag_messages import HEIGHT, TYPES, WIDTH, camera_info, header, image, make, picture, stamp_of
from rvl_encoder import encode_rvl

from monodepth_ros.data.bags.cameras import UnusableCamera
from monodepth_ros.data.bags.extraction import BagExtraction
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.data.extraction.extracted_sequence import ExtractedSequence
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.geometry.camera import PinholeCamera

Messages = dict[str, Any]  # by topic, of one moment
COUNT = 6


def write(path: Path, of_number: Callable[[int, int], Messages], count: int = COUNT) -> Path:
    """A bag of what ``of_number`` gives for a number and a stamp."""
    with BagWriter(path) as bag:
        for number in range(count):
            for topic, message in of_number(number, stamp_of(number)).items():
                kind = message.__msgtype__
                data = bytes(TYPES.serialize_cdr(message, kind))
                bag.write(topic, kind, stamp_of(number), data)
    return path


def extracted(
    bag: Path, folder: Path, **request: Any
) -> tuple[FolderSequence, ExtractedSequence, list[str]]:
    with BagFile(bag) as opened:
        asked = ExtractionRequest(image_format="png", **request)
        extraction = BagExtraction(opened, asked)
        (topic,) = extraction.images
        *_, done = extraction.extract(topic, folder)
        return FolderSequence(folder), done, opened.problems


def wide_image(stamp: int, grey: np.ndarray, encoding: str = "mono16") -> Any:
    message = image(stamp, np.dstack([grey] * 3).astype(np.uint8))
    message.encoding, message.step = encoding, 2 * grey.shape[1]
    message.data = grey.astype("<u2").view(np.uint8).reshape(-1)
    return message


def compressed(stamp: int, text: str, data: bytes) -> Any:
    content = np.frombuffer(data, np.uint8)
    stamped = header(stamp, "camera_optical")
    return make("sensor_msgs/msg/CompressedImage", header=stamped, format=text, data=content)


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("png", [False, True])
def test_one_scale_for_a_camera_of_few_bits(tmp_path: Path, bits: int, png: bool) -> None:
    """The first images are dark: the brightest of all tells the bits."""

    def grey(number: int) -> np.ndarray:
        full = picture(number)[:, :, 0]
        full[0, 0] = 255
        return full if number >= 4 else full // 16

    def of_number(number: int, stamp: int) -> Messages:
        wide = grey(number).astype(np.uint16) << (bits - 8)
        raw = wide_image(stamp, wide)
        stored = compressed(
            stamp, "mono16; png compressed ", cv2.imencode(".png", wide)[1].tobytes()
        )
        return {
            "/camera_info": camera_info(stamp),
            **({"/image_raw/compressed": stored} if png else {"/image_raw": raw}),
        }

    sequence, _, problems = extracted(write(tmp_path / "bag", of_number), tmp_path / "out")
    for number in range(COUNT):
        np.testing.assert_array_equal(sequence.image(number)[:, :, 1], grey(number))
    assert sum(f"{bits} of 16 bits are in use" in problem for problem in problems) == 1


def rectified_drive(number: int, stamp: int) -> Messages:
    info = camera_info(stamp)
    info.d[:] = 0.1, -0.05, 0.001, 0.002, 0.0
    info.p[:] = 25.0, 0, 15.0, 0, 0, 26.0, 12.0, 0, 0, 0, 1, 0
    return {"/front/camera_info": info, "/front/image_rect_color": image(stamp, picture(number))}


def test_rectified_topics_have_the_camera_P(tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", rectified_drive)
    camera = extracted(bag, tmp_path / "by_name")[0].camera
    np.testing.assert_allclose(camera.K, [[25, 0, 15], [0, 26, 12], [0, 0, 1]])
    assert not camera.distorted
    camera = extracted(bag, tmp_path / "as_told", rectified=False)[0].camera
    assert camera.K[0, 0] == 30.0 and camera.distorted


def test_a_calibration_with_distortion_is_none_of_rectified_images(tmp_path: Path) -> None:
    bag = write(tmp_path / "bag", rectified_drive)
    K = np.array([[30.0, 0, 16], [0, 30, 12], [0, 0, 1]])
    lens = PinholeCamera(WIDTH, HEIGHT, K, "plumb_bob", (0.1, 0.0, 0.0, 0.0))
    with pytest.raises(UnusableCamera, match="--not-rectified"):
        extracted(bag, tmp_path / "out", camera=lens)


def test_the_first_calibrated_camera_info_counts(tmp_path: Path) -> None:
    def of_number(number: int, stamp: int) -> Messages:
        info = camera_info(stamp)
        if number < 4:
            info.k[:] = 0.0
        return {"/camera_info": info, "/image_raw": image(stamp, picture(number))}

    sequence, done, _ = extracted(write(tmp_path / "bag", of_number), tmp_path / "out")
    assert len(sequence) == COUNT and not done.left_out
    assert sequence.camera.K[0, 0] == 30.0


def test_images_of_a_camera_that_zooms_are_counted(tmp_path: Path) -> None:
    def of_number(number: int, stamp: int) -> Messages:
        info = camera_info(stamp)
        info.k[0] = info.k[4] = 45.0 if number >= 2 else 30.0
        return {"/camera_info": info, "/image_raw": image(stamp, picture(number))}

    sequence, done, problems = extracted(write(tmp_path / "bag", of_number), tmp_path / "out")
    assert sequence.camera.K[0, 0] == 45.0
    assert [sequence.stamp_ns(index) for index in range(len(sequence))] == [
        stamp_of(number) for number in range(2, COUNT)
    ]
    assert done.left_out == {"of another calibration than most: camera_info has changed": 2}
    assert any("/camera_info: 2 different calibrations" in problem for problem in problems)


@pytest.mark.parametrize(
    ("model", "D", "expected"),
    [
        ("plumb_bob", (0.1, -0.2, 0.001, 0.001, 0.05, 0, 0, 0), 5),
        ("equidistant", (-0.004, 0.037, -0.035, 0.006, 0.0), 4),
        ("rational_polynomial", (0.1, -0.2, 0.001, 0.001, 0.05), 5),
    ],
)
def test_unused_coefficients_are_accepted(
    tmp_path: Path, model: str, D: tuple[float, ...], expected: int
) -> None:
    def of_number(number: int, stamp: int) -> Messages:
        info = camera_info(stamp)
        info.distortion_model, info.d = model, np.array(D)
        return {"/camera_info": info, "/image_raw": image(stamp, picture(number))}

    camera = extracted(write(tmp_path / "bag", of_number), tmp_path / "out")[0].camera
    assert (camera.distortion_model, camera.D) == (model, D[:expected])


def test_doubled_coefficients_are_refused_by_name(tmp_path: Path) -> None:
    def of_number(number: int, stamp: int) -> Messages:
        info = camera_info(stamp)
        info.d = np.array((0.1, -0.2, 0.001, 0.001, 0.05) * 2)
        return {"/camera_info": info, "/image_raw": image(stamp, picture(number))}

    with pytest.raises(UnusableCamera, match="/image_raw: .*the same 5 coefficients twice"):
        extracted(write(tmp_path / "bag", of_number), tmp_path / "out")


def test_a_window_beside_the_principal_point(tmp_path: Path) -> None:
    def of_number(number: int, stamp: int) -> Messages:
        info = camera_info(stamp)
        window = {"x_offset": 20, "y_offset": 0, "width": 12, "height": 10, "do_rectify": False}
        info.roi = make("sensor_msgs/msg/RegionOfInterest", **window)
        return {"/camera_info": info, "/image_raw": image(stamp, picture(number)[:10, 20:])}

    sequence = extracted(write(tmp_path / "bag", of_number), tmp_path / "out")[0]
    assert sequence.camera.K[0, 2] == -4.0 and sequence.camera.is_crop
    np.testing.assert_array_equal(sequence.image(3), picture(3)[:10, 20:])


DEPTH = np.tile(np.linspace(400, 3900, WIDTH), (HEIGHT, 1)).astype(np.uint16)
RVL = bytes(12) + np.array([WIDTH, HEIGHT], "<u4").tobytes() + encode_rvl(DEPTH)


@pytest.mark.parametrize(
    ("topic", "text", "data", "known"),
    [
        ("/depth/compressedDepth", "16UC1; compressedDepth rvl", RVL, COUNT - 1),
        ("/depth/compressed", "16UC1; jpeg compressed ", b"\xff\xd8\xff", 0),
    ],
    ids=["rvl", "jpeg"],
)
def test_depth_that_cannot_be_decoded_costs_no_image(
    tmp_path: Path, topic: str, text: str, data: bytes, known: int
) -> None:
    def of_number(number: int, stamp: int) -> Messages:
        stored = data if number != 2 else data[: len(data) // 2]
        return {
            "/camera_info": camera_info(stamp),
            "/image_raw": image(stamp, picture(number)),
            topic: compressed(stamp, text, stored),
        }

    bag = write(tmp_path / "bag", of_number)
    sequence, done, _ = extracted(bag, tmp_path / "out", depth=topic)
    assert len(sequence) == COUNT and not done.left_out
    depths = [sequence.depth(index) for index in range(COUNT)]
    assert sum(depth is not None for depth in depths) == known
    if known:
        assert depths[2] is None and depths[1] is not None
        np.testing.assert_allclose(depths[1], DEPTH / 1000.0, atol=1e-6)
    assert done.coverage["depth"].found == known


def test_a_mosaic_in_a_jpeg_is_demosaiced(tmp_path: Path) -> None:
    mosaic = np.tile(np.array([[200, 120], [120, 40]], np.uint8), (HEIGHT // 2, WIDTH // 2))
    data = cv2.imencode(".jpg", mosaic, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()

    def of_number(number: int, stamp: int) -> Messages:
        text = "bayer_rggb8; jpeg compressed bayer_rggb8"
        return {
            "/camera_info": camera_info(stamp),
            "/image_raw/compressed": compressed(stamp, text, data),
        }

    sequence = extracted(write(tmp_path / "bag", of_number), tmp_path / "out")[0]
    assert np.abs(sequence.image(0).astype(int) - [200, 120, 40]).max() <= 3
