"""Depth images of a flat ground, drawn by its equation."""

import numpy as np

from monodepth_ros.geometry.camera import PinholeCamera

CAMERA = PinholeCamera.from_focal_length(192, 128, 110.0, 108.0, 95.0, 64.0)


def plane_depth(height, pitch=0.0, roll=0.0, far=30.0):
    """Depth HxW of the ground ``height`` below a camera that looks down by ``pitch`` degrees."""
    a, b = np.radians(pitch), np.radians(roll)
    normal = np.array([np.sin(b), np.cos(b) * np.cos(a), np.cos(b) * np.sin(a)])
    y, x = np.mgrid[0 : CAMERA.height, 0 : CAMERA.width]
    rays = np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(CAMERA.K).T
    with np.errstate(divide="ignore"):
        depth = height / (rays @ normal)
    return np.where((depth > 0) & (depth < far), depth, far).astype(np.float32)
