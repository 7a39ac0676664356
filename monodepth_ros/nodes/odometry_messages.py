"""From a camera's pose to the odometry of the robot that carries it."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, PoseStamped, Quaternion, TransformStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from monodepth_ros.inference.camera_tracker import TrackedPose, carried_covariance

Matrix = NDArray[np.float64]


class BaseOdometry:
    """Expresses the poses of a camera as those of its robot's base, from where the base began.

    With the base in its ``odom`` frame at first, ``T_odom_base = T_bc T_world_camera T_bc^-1``.
    """

    def __init__(self, T_base_camera: Matrix, odom_frame: str, base_frame: str) -> None:
        self.T_base_camera = T_base_camera
        self.odom_frame, self.base_frame = odom_frame, base_frame

    def pose(self, tracked: TrackedPose) -> Matrix:
        """``T_odom_base``, 4x4."""
        inverse = np.linalg.inv(self.T_base_camera)
        return np.asarray(self.T_base_camera @ tracked.T_world_camera @ inverse)

    def message(self, tracked: TrackedPose, stamp: Time) -> Odometry:
        """Pose in the odom frame, velocity in the base frame, both with their covariance.

        Errors of the camera's heading move a base that is not at the camera; both covariances are
        carried over to first order.
        """
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
            carried_covariance(tracked.covariance, R_bc, arm).flatten().tolist()
        )

        linear, angular = R_bc @ tracked.velocity[:3], R_bc @ tracked.velocity[3:]
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


def stamped_pose(odometry: Odometry) -> PoseStamped:
    """The pose of an odometry message, as a path holds it."""
    return PoseStamped(header=odometry.header, pose=odometry.pose.pose)


def pose_message(T: Matrix) -> Pose:
    """A 4x4 matrix as a message."""
    message = Pose()
    position = message.position
    position.x, position.y, position.z = map(float, T[:3, 3])
    x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
    message.orientation = Quaternion(x=float(x), y=float(y), z=float(z), w=float(w))
    return message
