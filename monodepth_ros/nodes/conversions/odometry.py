"""Odometry messages of the robot's base from the poses of its camera."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, Quaternion, TransformStamped
from nav_msgs.msg import Odometry
from scipy.spatial.transform import Rotation

from monodepth_ros.geometry.rigid_motion import Matrix, carried_covariance, twist_of
from monodepth_ros.inference.odometry.camera_tracker import TrackedPose


class BaseOdometry:
    """Converts poses of a camera to poses of the robot's base in its odom frame.

    The base is in its ``odom`` frame when the camera is at its world's origin, so ``T_odom_base =
    T_bc(then) T_world_camera T_bc(now)^-1``: the camera may move on the robot.
    """

    def __init__(self, odom_frame: str, base_frame: str) -> None:
        self.odom_frame, self.base_frame = odom_frame, base_frame
        self._T_start: Matrix | None = None
        self._latest: tuple[Matrix, int] | None = None
        self.T_base_camera = np.eye(4)
        self._turning = np.zeros(6)  # of the camera on the robot, in the camera's frame, per second

    def change_camera(self, T_base_camera: Matrix) -> Matrix:
        """Continue with another camera; returns its pose in the former camera's frame, 4x4."""
        T_former_camera = np.linalg.inv(self.T_base_camera) @ T_base_camera
        self.T_base_camera, self._latest = T_base_camera, None
        return np.asarray(T_former_camera)

    def update_mounting(self, T_base_camera: Matrix, tracked: TrackedPose) -> None:
        """Set the camera's pose on the base at the time of a tracked pose, before its `message`."""
        if self._T_start is None or np.array_equal(tracked.T_world_camera, np.eye(4)):
            self._T_start = T_base_camera
        self._turning = np.zeros(6)
        if self._latest is not None and not np.array_equal(self._latest[0], T_base_camera):
            before, stamp = self._latest
            seconds = (tracked.stamp - stamp) * 1e-9
            if seconds > 0:
                self._turning = twist_of(np.linalg.inv(before) @ T_base_camera) / seconds
        self.T_base_camera = T_base_camera
        self._latest = T_base_camera, tracked.stamp

    def pose(self, tracked: TrackedPose) -> Matrix:
        """``T_odom_base``, 4x4."""
        assert self._T_start is not None
        inverse = np.linalg.inv(self.T_base_camera)
        return np.asarray(self._T_start @ tracked.T_world_camera @ inverse)

    def message(self, tracked: TrackedPose, stamp: Time) -> Odometry:
        """Pose in the odom frame, velocity in the base frame, both with their covariance.

        Errors of the camera's heading move a base that is not at the camera; both covariances are
        carried over to first order.
        """
        assert self._T_start is not None
        R_bc = self.T_base_camera[:3, :3]
        T_odom_base = self.pose(tracked)
        message = Odometry()
        message.header.stamp = stamp
        message.header.frame_id = self.odom_frame
        message.child_frame_id = self.base_frame
        message.pose.pose = pose_message(T_odom_base)
        # In the odom frame, from the camera to the base.
        arm = -T_odom_base[:3, :3] @ self.T_base_camera[:3, 3]
        message.pose.covariance = (
            carried_covariance(tracked.covariance, self._T_start[:3, :3], arm).flatten().tolist()
        )

        velocity = tracked.velocity - self._turning
        linear, angular = R_bc @ velocity[:3], R_bc @ velocity[3:]
        to_base = -self.T_base_camera[:3, 3]
        linear = linear + np.cross(angular, to_base)
        twist = message.twist.twist
        twist.linear.x, twist.linear.y, twist.linear.z = map(float, linear)
        twist.angular.x, twist.angular.y, twist.angular.z = map(float, angular)
        covariance = carried_covariance(tracked.velocity_covariance, R_bc, to_base)
        message.twist.covariance = covariance.flatten().tolist()
        return message


def transform_message(odometry: Odometry) -> TransformStamped:
    """The transform odom -> base that an odometry message states."""
    message = TransformStamped()
    message.header = odometry.header
    message.child_frame_id = odometry.child_frame_id
    position = odometry.pose.pose.position
    translation = message.transform.translation
    translation.x, translation.y, translation.z = position.x, position.y, position.z
    message.transform.rotation = odometry.pose.pose.orientation
    return message


def pose_message(T: Matrix) -> Pose:
    """A 4x4 matrix as a message."""
    message = Pose()
    position = message.position
    position.x, position.y, position.z = map(float, T[:3, 3])
    x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
    message.orientation = Quaternion(x=float(x), y=float(y), z=float(z), w=float(w))
    return message
