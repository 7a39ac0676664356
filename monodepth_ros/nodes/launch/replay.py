"""The player of replay.launch.py: a bag with simulated time."""

from __future__ import annotations

from launch.actions import EmitEvent, ExecuteProcess, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration

from launch import LaunchContext


def played_bag() -> OpaqueFunction:
    """The process that plays the inputs of the nodes; the launch ends with it."""

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
    """The fully qualified name for a node in ``namespace``."""
    if name.startswith("/"):
        return name
    return "/" + "/".join(part for part in (namespace.strip("/"), name) if part)
