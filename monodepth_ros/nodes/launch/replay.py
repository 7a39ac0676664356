"""What replay.launch.py starts: a bag that is played with its own clock, and the nodes for it."""

from __future__ import annotations

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration

from launch import LaunchContext


def bag_arguments() -> list[DeclareLaunchArgument]:
    """Which bag, and how it is played."""
    return [
        DeclareLaunchArgument("bag", description="the recorded bag"),
        DeclareLaunchArgument("rate", default_value="1.0", description="how fast it is played"),
        DeclareLaunchArgument(
            "delay", default_value="8.0", description="seconds in which the nodes come up"
        ),
        DeclareLaunchArgument(
            "tf",
            default_value="true",
            description="play /tf; false where the nodes publish transforms that it holds",
            choices=["true", "false"],
        ),
    ]


def played_bag() -> OpaqueFunction:
    """Plays the topics that the nodes listen to; its end is the end of the launch."""

    def create(context: LaunchContext) -> list[object]:
        def text(name: str) -> str:
            return LaunchConfiguration(name).perform(context)

        pushed = context.launch_configurations.get("ros_namespace", "")
        namespace = full_name(pushed, text("namespace"))
        image, info, speed = (
            full_name(namespace, text(name)) for name in ("image_raw", "camera_info", "speed")
        )
        transforms = ["/tf", "/tf_static"] if text("tf") == "true" else ["/tf_static"]
        topics = [image, f"{image}/compressed", info, speed, *transforms]
        bag = ExecuteProcess(
            cmd=[
                *("ros2", "bag", "play", text("bag"), "--clock"),
                *("--rate", text("rate"), "--delay", text("delay")),
                *("--topics", *topics),
            ],
            output="screen",
        )
        ends = OnProcessExit(target_action=bag, on_exit=EmitEvent(event=Shutdown()))
        return [bag, RegisterEventHandler(ends)]

    return OpaqueFunction(function=create)


def full_name(namespace: str, name: str) -> str:
    """A name as a node in ``namespace`` means it."""
    if name.startswith("/"):
        return name
    return "/" + "/".join(part for part in (namespace.strip("/"), name) if part)
