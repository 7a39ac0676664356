"""Several cameras in one node: one model, and each camera's own topics, scale and statistics."""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Float64, Header
from std_srvs.srv import Trigger
from viewer import Viewer

from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.nodes.camera.depth_node import DepthNode
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image
from monodepth_ros.nodes.reporting_node import SUCCESS
from monodepth_ros.zoo.catalogue import resolve

Rgb = NDArray[np.uint8]
SIZES = {"front": (240, 320), "left": (120, 160), "rear": (200, 260)}
CAMERAS = "cameras:=[front, left, rear]"


def camera_of(name: str) -> PinholeCamera:
    height, width = SIZES[name]
    return PinholeCamera.from_focal_length(width, height, 0.8 * width, 0.8 * width, width / 2, 90.0)


def picture_of(name: str) -> Rgb:
    seed = list(SIZES).index(name)
    return np.random.default_rng(seed).integers(0, 256, (*SIZES[name], 3), dtype=np.uint8)


def messages_of(name: str, stamp: Any) -> tuple[Image, CameraInfo]:
    header = Header(frame_id=f"{name}_optical", stamp=stamp)
    return encode_image(picture_of(name), "rgb8", header), info_of_camera(camera_of(name), header)


@pytest.fixture
def play(viewer: Viewer) -> Callable[..., None]:
    """Plays one image of each camera named; ``spoil`` changes the left one's."""
    publishers = {
        name: [
            viewer.node.create_publisher(kind, f"{name}/{topic}", qos_profile_sensor_data)
            for topic, kind in (("image_raw", Image), ("camera_info", CameraInfo))
        ]
        for name in SIZES
    }

    def play(*names: str, spoil: Callable[[Image], None] | None = None) -> None:
        for name in names:
            image, info = messages_of(name, viewer.node.get_clock().now().to_msg())
            if spoil is not None and name == "left":
                spoil(image)
            for publisher, message in zip(publishers[name], (image, info), strict=True):
                publisher.publish(message)

    return play


@pytest.fixture
def depth_node(start_node: Any) -> Any:
    return lambda *parameters: start_node(
        "depth_node", "device:=cpu", "diagnostics_period:=0.2", *parameters
    )


def statuses(viewer: Viewer) -> dict[str, DiagnosticStatus]:
    """The newest statuses by what follows the node's name: nothing, or a camera."""
    heard = viewer.heard["/diagnostics"]
    found = {s.name.partition("depth_node")[2]: s for s in heard[-1].status} if heard else {}
    return defaultdict(lambda: DiagnosticStatus(level=DiagnosticStatus.STALE), found)


def value(status: DiagnosticStatus, key: str) -> str:
    """A value of a status; empty while there is none."""
    return next((str(entry.value) for entry in status.values if entry.key == key), "")


def test_each_camera_gets_the_depth_of_its_own_images(
    viewer: Viewer, depth_node: Any, play: Any
) -> None:
    for name in SIZES:
        viewer.listen(Image, f"{name}/depth/image_rect")
        viewer.listen(CameraInfo, f"{name}/depth/camera_info")
    viewer.listen(Image, "left/depth/confidence")
    depth_node(CAMERAS, "output_size:=image")
    viewer.until(
        lambda: (
            all(len(viewer.heard[f"{n}/depth/image_rect"]) > 1 for n in SIZES)
            and all(viewer.heard[f"{n}/depth/camera_info"] for n in SIZES)
            and viewer.heard["left/depth/confidence"]
        ),
        play=lambda: play(*SIZES),
    )
    estimator = DepthEstimator("demo", "cpu")
    for name in SIZES:
        expected = estimator.estimate(picture_of(name), camera_of(name), name == "left")
        for message in viewer.heard[f"{name}/depth/image_rect"]:
            assert message.header.frame_id == f"{name}_optical"
            np.testing.assert_allclose(decode_depth(message), expected.depth, rtol=1e-3)
        info = viewer.heard[f"{name}/depth/camera_info"][-1]
        np.testing.assert_allclose(np.reshape(info.k, (3, 3)), camera_of(name).K)
        if expected.confidence is not None:
            message = viewer.heard["left/depth/confidence"][-1]
            confidence = np.nan_to_num(decode_depth(message))
            np.testing.assert_allclose(confidence, expected.confidence, rtol=1e-3, atol=1e-4)
    assert viewer.node.count_publishers("depth/image_rect") == 0

    # The statuses before the first image say that all is well, too.
    viewer.until(
        lambda: (
            statuses(viewer)[""].level == DiagnosticStatus.OK
            and float(value(statuses(viewer)[""], "output rate (Hz)")) > 0
        ),
        play=lambda: play(*SIZES),
    )
    node = statuses(viewer)[""]
    assert value(node, "cameras") == "front, left, rear" and value(node, "model") == "demo"
    assert 1.0 <= float(value(node, "images in a batch (mean)")) <= 3.0
    rates = [float(value(statuses(viewer)[f": {n}"], "output rate (Hz)")) for n in SIZES]
    assert float(value(node, "output rate (Hz)")) == pytest.approx(sum(rates), abs=0.2)


def test_a_broken_and_a_silent_camera_do_not_stop_the_others(
    viewer: Viewer, depth_node: Any, play: Any
) -> None:
    viewer.listen(Image, "front/depth/image_rect")
    viewer.listen(Image, "left/depth/image_rect")
    viewer.listen(Image, "rear/depth/image_rect")
    depth_node(CAMERAS)

    def both() -> None:
        play("front", "left", spoil=lambda image: setattr(image, "encoding", "tri_colour"))

    viewer.until(
        lambda: (
            statuses(viewer)
            and statuses(viewer)[": left"].level == DiagnosticStatus.ERROR
            and statuses(viewer)[": rear"].level == DiagnosticStatus.WARN
            and statuses(viewer)[": front"].level == DiagnosticStatus.OK
            and len(viewer.heard["front/depth/image_rect"]) > 5
        ),
        play=both,
    )
    found = statuses(viewer)
    assert value(found[": front"], "images failed") == "0"
    assert "tri_colour" in found[": left"].message
    assert "tri_colour" in value(found[": left"], "last error")
    assert "no image received yet on /rear/image_raw" in found[": rear"].message
    assert found[""].level == DiagnosticStatus.ERROR
    for told in ("left: every image fails", "rear: no image received yet"):
        assert told in found[""].message
    assert "front" not in found[""].message
    assert not viewer.heard["left/depth/image_rect"]
    viewer.until(lambda: viewer.heard["rear/depth/image_rect"], play=lambda: play("rear"))


def test_each_camera_has_its_own_factor(viewer: Viewer, depth_node: Any, play: Any) -> None:
    for name in SIZES:
        viewer.listen(Image, f"{name}/depth/image_rect")
    factors = ("scale_source:=fixed", "scale_factor:=2.0", "rear.scale_factor:=3.0")
    depth_node(CAMERAS, *factors)
    topics = {name: f"{name}/depth/image_rect" for name in SIZES}
    viewer.until(lambda: all(map(viewer.heard.get, topics.values())), play=lambda: play(*SIZES))
    estimator = DepthEstimator("demo", "cpu", output_size="network")
    for name, factor in {"front": 2.0, "left": 2.0, "rear": 3.0}.items():
        expected = factor * estimator.estimate(picture_of(name), camera_of(name)).depth
        found = decode_depth(viewer.heard[topics[name]][-1])
        np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_each_camera_follows_its_own_scale(viewer: Viewer, depth_node: Any, play: Any) -> None:
    scales = viewer.node.create_publisher(Float64, "front/scale", 1)
    for name in ("front", "rear"):
        viewer.listen(Image, f"{name}/depth/image_rect")
    depth_node("cameras:=[front, rear]", "scale_source:=topic")

    def with_scale() -> None:
        scales.publish(Float64(data=4.0))
        play("front", "rear")

    viewer.until(
        lambda: (
            viewer.heard["front/depth/image_rect"]
            and "no message on /rear/scale" in statuses(viewer)[": rear"].message
            and value(statuses(viewer)[": front"], "scale factor") == "4"
        ),
        play=with_scale,
    )
    assert not viewer.heard["rear/depth/image_rect"]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        (["cameras:=[front, a b]"], "parameter cameras: 'a b' is not a namespace"),
        (["cameras:=[front, rear, front]"], "parameter cameras: front is given more than once"),
        ([CAMERAS, "side.camera_height:=1.0"], "unknown parameter side.camera_height"),
        (["cameras:=front"], "parameter cameras: .*STRING_ARRAY"),
    ],
)
def test_wrong_names_end_it_with_one_line(
    depth_node: Any, parameters: list[str], reason: str
) -> None:
    process = depth_node(*parameters)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2 and "Traceback" not in output
    assert re.search(reason, output)


def test_a_camera_without_its_height_is_named(viewer: Viewer, depth_node: Any) -> None:
    depth_node("cameras:=[front, rear]", "scale_source:=camera_height", "front.camera_height:=1.2")
    told = "scale_source camera_height needs a camera_height above 0 of camera rear"
    viewer.until(lambda: told in viewer.said())
    assert viewer.node.count_publishers("front/scale") == 0


@pytest.mark.parametrize("none", ["[]", "['']"])
def test_an_empty_list_is_one_camera_in_the_nodes_namespace(
    viewer: Viewer, start_node: Any, tmp_path: Path, none: str
) -> None:
    file = tmp_path / "none.yaml"
    file.write_text(f"/**/depth_node: {{ros__parameters: {{cameras: {none}, device: cpu}}}}")
    viewer.listen(Image, "depth/image_rect")
    start_node("depth_node", arguments=["--params-file", str(file)])
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)
    viewer.until(lambda: viewer.heard["/diagnostics"])
    assert {len(array.status) for array in viewer.heard["/diagnostics"]} == {1}


def test_a_reload_gives_all_cameras_the_other_model(
    viewer: Viewer, depth_node: Any, play: Any, tmp_path: Path
) -> None:
    """Each camera's factor belonged to the former model."""
    other = shutil.copytree(resolve("demo"), tmp_path / "other")
    card = other / "card.yaml"
    card.write_text(card.read_text().replace("name: demo", "name: other"))
    scales = {n: viewer.node.create_publisher(Float64, f"{n}/scale", 1) for n in ("front", "rear")}
    for name in scales:
        viewer.listen(Image, f"{name}/depth/image_rect")
    depth_node("cameras:=[front, rear]", "scale_source:=topic", "scale_factor:=5.0")
    viewer.until(
        lambda: all(viewer.heard[f"{n}/depth/image_rect"] for n in scales),
        play=lambda: play(*scales),
    )
    wanted = Parameter("model", value=str(other)).to_parameter_msg()
    request = SetParameters.Request(parameters=[wanted])
    assert viewer.call(SetParameters, "depth_node/set_parameters", request).results[0].successful
    assert viewer.call(Trigger, "depth_node/reload").success
    viewer.until(
        lambda: all(
            value(statuses(viewer)[f": {n}"], "scale factor") == "not known yet" for n in scales
        ),
        play=lambda: play(*scales),
    )
    assert value(statuses(viewer)[""], "model") == "other"
    scales["rear"].publish(Float64(data=2.0))
    viewer.until(
        lambda: value(statuses(viewer)[": rear"], "scale factor") == "2",
        play=lambda: scales["rear"].publish(Float64(data=2.0)),
    )
    assert value(statuses(viewer)[": front"], "scale factor") == "not known yet"


def make_node(**parameters: Any) -> DepthNode:
    """An active node in this process."""
    given = {"autostart": False, "device": "cpu", "cameras": list(SIZES), **parameters}
    made = DepthNode(parameter_overrides=[Parameter(n, value=v) for n, v in given.items()])
    assert made.trigger_configure() == SUCCESS and made.trigger_activate() == SUCCESS
    return made


@pytest.fixture
def ros(ros_environment: dict[str, str]) -> Any:
    rclpy.init()
    yield
    rclpy.try_shutdown()


@pytest.fixture
def node(ros: None) -> Any:
    made = make_node()
    yield made
    made.destroy_node()


class Asked:
    """Plays frames that waited together, and notes the batches and what was published."""

    def __init__(self, node: DepthNode, monkeypatch: pytest.MonkeyPatch) -> None:
        self.node, self.batches, self.published = node, [], []
        assert node.active_model is not None
        engine = node.active_model.loaded.engine

        def counted(run: Callable[[Any], Any], frames: Any) -> Any:
            self.batches.append(len(frames.pixels()))
            return run(frames)

        for way in ("inverse_depth", "depth_and_variance"):
            monkeypatch.setattr(engine, way, partial(counted, getattr(engine, way)))
        self.asked = {name: {"depth/image_rect"} for name in SIZES}
        for stream in node.streams:
            asked = self.asked[stream.name]
            monkeypatch.setattr(stream, "has_subscribers", asked.__contains__)
            monkeypatch.setattr(
                stream,
                "publish",
                lambda topic, message, name=stream.name: self.published.append((name, topic)),
            )

    def __call__(self, spoil: Callable[[Image], None] | None = None) -> None:
        images = {}
        for stream in self.node.streams:
            image, info = messages_of(stream.name, self.node.get_clock().now().to_msg())
            if spoil is not None and stream.name == "left":
                spoil(image)
            stream.infos.add(info)
            (images[stream],) = stream.accept(image, True)
        self.node._work_on(images)

    def failed(self) -> dict[str, int]:
        """The number of frames of each camera that failed."""
        return {s.name: s.statistics.metrics(0.0).failed for s in self.node.streams}


@pytest.mark.parametrize("views", [0, 2])
def test_one_batch_with_the_views_of_confidence(
    ros: None, monkeypatch: pytest.MonkeyPatch, views: int
) -> None:
    node = make_node(confidence_views=views)
    play = Asked(node, monkeypatch)
    play.asked["rear"].add("depth/confidence")
    play.asked["left"].clear()
    play()
    assert play.batches == [2 + views]
    shown = [name for name, topic in play.published if topic == "depth/image_rect"]
    assert shown == ["front", "rear"]
    assert ("rear", "depth/confidence") in play.published
    node.destroy_node()


def test_a_frame_fails_alone_and_a_network_fails_all(
    node: DepthNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = Asked(node, monkeypatch)
    play(lambda image: setattr(image, "data", image.data[:100]))
    assert play.batches == [2]
    assert play.failed() == {"front": 0, "left": 1, "rear": 0}
    assert node.active_model is not None
    monkeypatch.setattr(node.active_model.loaded.engine, "inverse_depth", lambda frames: 1 / 0)
    play()
    assert play.failed() == {"front": 1, "left": 2, "rear": 1}


def test_each_camera_measures_its_own_motion(ros: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The robot's speed is one topic; what the cameras have seen of the motion is their own."""
    node = make_node(scale_source="speed")
    assert node.active_model is not None
    trackers = node.active_model.loaded.trackers
    assert len({id(tracker) for tracker in trackers.values()}) == 3
    seen: list[tuple[Any, int]] = []

    def noted(
        tracker: CameraTracker, image: Any, camera: PinholeCamera, *_: Any, **__: Any
    ) -> None:
        seen.append((tracker, camera.width))

    monkeypatch.setattr(CameraTracker, "add", noted)
    Asked(node, monkeypatch)()
    assert seen == [(trackers[stream], SIZES[stream.name][1]) for stream in node.streams]
    assert node.count_subscribers("/speed") == 3 and node.count_subscribers("/front/speed") == 0
    assert node.count_publishers("/front/scale") == 1
    node.destroy_node()


def test_a_bounded_batch(ros: None) -> None:
    node = make_node(max_batch=2)
    assert node.max_batch == 2 and node._worker is not None and node._worker._max_batch == 2
    node.destroy_node()
