"""Nodes that get images and publish nothing say why, in diagnostics and once in the log."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from diagnostic_msgs.msg import DiagnosticStatus
from drive import ALONE, SECOND, Drive
from geometry_msgs.msg import TwistStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_msgs.msg import Float64, Header
from viewer import CAMERA, RGB, Viewer, of_status

from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image

QUICK = ("device:=cpu", "diagnostics_period:=0.2")


def says(viewer: Viewer, level: bytes, message: str) -> Any:
    """Whether the newest diagnostics say ``message``, as a whole or as its beginning."""

    def said() -> bool:
        status = viewer.status
        return status is not None and status.level == level and status.message.startswith(message)

    return said


def test_nobody_subscribes_and_not_active(viewer: Viewer, start_node: Any) -> None:
    start_node("depth_node", *QUICK)
    waits = "no image received yet on /image_raw, which has 1 publisher"
    viewer.until(says(viewer, DiagnosticStatus.WARN, waits))
    viewer.until(says(viewer, DiagnosticStatus.OK, "no subscriber"), play=viewer.play)
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_DEACTIVATE))
    assert viewer.call(ChangeState, "depth_node/change_state", request).success
    viewer.until(says(viewer, DiagnosticStatus.OK, "not active"), play=viewer.play)


@pytest.mark.parametrize("node", ["depth_node", "odometry_node"])
def test_without_a_camera_info_its_topic_is_named(
    viewer: Viewer, start_node: Any, node: str
) -> None:
    viewer.listen(Image, "depth/image_rect")
    viewer.node.destroy_publisher(viewer._infos)
    start_node(node, *QUICK, arguments=["-r", "camera_info:=driver/camera_info"])

    def image() -> None:
        stamp = viewer.node.get_clock().now().to_msg()
        viewer.send_image(encode_image(RGB, "rgb8", Header(frame_id="camera", stamp=stamp)))

    reason = (
        "nothing is published: no camera_info received yet on /driver/camera_info,"
        " which nobody publishes"
    )
    viewer.until(says(viewer, DiagnosticStatus.WARN, reason), play=image)


def test_a_covered_lens_and_stamps_that_stand_still(viewer: Viewer, start_node: Any) -> None:
    start_node("odometry_node", *ALONE)
    drive = Drive(viewer)
    black = np.zeros((240, 320, 3), np.uint8)
    skipped = "nothing is published: every image is skipped: "
    contrast = says(viewer, DiagnosticStatus.WARN, f"{skipped}it has no contrast")
    viewer.until(contrast, play=lambda: drive.play(black))
    viewer.until(lambda: viewer.status.level == DiagnosticStatus.OK, play=drive.play)
    assert "Hz, no subscriber" in viewer.said()
    left_out = "nothing is published: every image is left out: stamp repeated"
    stands = says(viewer, DiagnosticStatus.WARN, left_out)
    viewer.until(stands, play=drive.resend)


def test_what_a_scale_by_speed_waits_for(viewer: Viewer, start_node: Any) -> None:
    viewer.listen(Odometry, "odom")
    process = start_node("odometry_node", *ALONE, "scale_source:=speed")
    drive = Drive(viewer)
    node, image = viewer.node, []
    drive.play()
    image.append(drive.images[0])
    metres = "nothing is published: the scale is not known yet (speed): "

    def wait_for(reason: str, play: Any) -> None:
        viewer.until(says(viewer, DiagnosticStatus.WARN, metres + reason), play=play)

    def stand() -> None:
        drive.play(image[0])

    wait_for("no message on /speed, which nobody publishes", stand)
    other = node.create_publisher(TwistStamped, "speed", qos_profile_sensor_data)
    wait_for(
        "no message on /speed, which is published as geometry_msgs/msg/TwistStamped instead of"
        " nav_msgs/msg/Odometry",
        stand,
    )
    node.destroy_publisher(other)
    wheels = node.create_publisher(Odometry, "speed", qos_profile_sensor_data)

    def wheel(speed: float, x: float = 0.0, behind: float = 0.0) -> None:
        for back in (0.05, 0.0):
            message = Odometry()
            stamp = drive.now - int((back + behind) * SECOND)
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, SECOND)
            message.twist.twist.linear.x = speed
            message.pose.pose.position.x = x
            wheels.publish(message)

    def drives(moves: bool, *how: float) -> Any:
        def play() -> None:
            drive.play(None if moves else image[0])
            wheel(*how)

        return play

    wait_for("no speed above 0.05 m/s on /speed so far", drives(False, 0.0))
    wait_for("the twist on /speed is zero although its pose moves", drives(True, 0.0, 5.0))
    wait_for("stamps on /speed are 16.7 minutes behind those of the images",
             drives(True, 1.0, 5.0, 1000.0))  # fmt: skip
    assert not viewer.heard["odom"]
    viewer.until(lambda: viewer.heard["odom"], play=drives(True, 2.0))
    viewer.until(lambda: "Hz" in viewer.said(), play=drives(True, 2.0))
    process.terminate()
    output, _ = process.communicate(timeout=20)
    assert output.count("the twist on /speed is zero although its pose moves") == 1


def test_no_motion_in_the_images_of_a_robot_that_drives(viewer: Viewer, start_node: Any) -> None:
    start_node("odometry_node", *ALONE, "scale_source:=speed", "speed_type:=TwistStamped")
    wheels = viewer.node.create_publisher(TwistStamped, "speed", qos_profile_sensor_data)
    drive = Drive(viewer)
    drive.play()
    still = drive.images[0]

    def play() -> None:
        drive.play(still)
        message = TwistStamped()
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(drive.now, SECOND)
        message.twist.linear.x = 1.0
        wheels.publish(message)

    reason = "nothing is published: the scale is not known yet (speed): no motion in the images"
    viewer.until(says(viewer, DiagnosticStatus.WARN, reason), play=play)


def test_what_a_scale_of_another_node_waits_for(viewer: Viewer, start_node: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    start_node("depth_node", *QUICK, "scale_source:=topic")
    metres = "nothing is published: the scale is not known yet (topic): "
    nobody = f"{metres}no message on /scale, which nobody publishes"
    viewer.until(says(viewer, DiagnosticStatus.WARN, nobody), play=viewer.play)
    factors = viewer.node.create_publisher(Float64, "scale", 1)

    def play() -> None:
        factors.publish(Float64(data=-1.0))
        viewer.play()

    refused = f"{metres}the value -1.0 on /scale is not a scale factor"
    viewer.until(says(viewer, DiagnosticStatus.WARN, refused), play=play)


def test_what_a_scale_by_height_waits_for(viewer: Viewer, start_node: Any) -> None:
    """A camera that looks up sees no ground, whatever the model thinks of noise."""
    viewer.listen(Image, "depth/image_rect")
    start_node("depth_node", *QUICK, "scale_source:=camera_height", "camera_height:=1.5")
    up = CAMERA.from_focal_length(320, 240, 260.0, 260.0, 160.0, 239.0)

    def play() -> None:
        viewer.play(None, info_of_camera(up, Header()))

    reason = "nothing is published: the scale is not known yet (camera_height): no flat ground"
    viewer.until(says(viewer, DiagnosticStatus.WARN, reason), play=play)


def test_the_log_has_each_trouble_once(viewer: Viewer, start_node: Any) -> None:
    """At the first image that fails, and not again while diagnostics tell of it."""
    viewer.listen(Image, "depth/image_rect")
    process = start_node("depth_node", *QUICK)

    def play() -> None:
        strange = encode_image(RGB, "rgb8", Header())
        strange.encoding = "yuv999"
        viewer.play(strange)

    viewer.until(says(viewer, DiagnosticStatus.ERROR, "every image fails"), play=play)
    viewer.until(lambda: int(of_status(viewer, "images failed") or 0) > 20, play=play)
    some = says(viewer, DiagnosticStatus.WARN, "some images fail: encoding 'yuv999'")
    viewer.until(some, play=viewer.play)
    process.terminate()
    output, _ = process.communicate(timeout=20)
    assert output.count("encoding 'yuv999' is not a camera image") == 1
    assert "no image received yet" not in output


def test_two_cameras_on_one_topic(viewer: Viewer, start_node: Any) -> None:
    """Odometry of two frames in turn stands still, and is not well."""
    process = start_node("odometry_node", *ALONE)
    drive = Drive(viewer)

    def play() -> None:
        drive.frame_id = "left" if drive.frame_id == "right" else "right"
        drive.play()

    viewer.until(says(viewer, DiagnosticStatus.WARN, "the clock or the camera changed"), play=play)
    viewer.until(lambda: int(of_status(viewer, "restarts") or 0) > 15, play=play)
    process.terminate()
    output, _ = process.communicate(timeout=20)
    assert output.count("the clock or the camera changed") == 1


def test_the_threads_of_a_node(viewer: Viewer, start_node: Any) -> None:
    start_node("depth_node", *QUICK, "threads:=3")
    viewer.until(lambda: viewer.status and any(
        (v.key, v.value) == ("threads", "3") for v in viewer.status.values))  # fmt: skip
