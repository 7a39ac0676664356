"""Points of clouds, scans and depth images, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2, PointField

from monodepth_ros.data.bags.messages.camera import camera_from_info
from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.lens import rays

_TYPES = {PointField.FLOAT32: "f4", PointField.FLOAT64: "f8"}
_MOST = 20_000  # points of a message that are used: of more, every n-th


def points_of(
    message: PointCloud2 | LaserScan | Image, info: CameraInfo | None = None
) -> NDArray[np.float64]:
    """Points ``(N, 3)`` in the message's frame, in metres, without those that are not finite.

    ``info`` is the camera_info of a depth image. UserError for a cloud without x, y and z.
    """
    if isinstance(message, PointCloud2):
        points = _of_cloud(message)
    elif isinstance(message, LaserScan):
        points = _of_scan(message)
    else:
        points = _of_depth(message, info)
    return points[np.isfinite(points).all(1)]


def _of_cloud(cloud: PointCloud2) -> NDArray[np.float64]:
    fields = {field.name: field for field in cloud.fields}
    if missing := [name for name in "xyz" if name not in fields]:
        raise UserError(f"a cloud without field {', '.join(missing)}: it has {', '.join(fields)}")
    order = ">" if cloud.is_bigendian else "<"
    try:
        formats = [order + _TYPES[fields[name].datatype] for name in "xyz"]
    except KeyError:
        raise UserError("a cloud whose x, y or z is neither float32 nor float64") from None
    layout: Any = {
        "names": list("xyz"),
        "formats": formats,
        "offsets": [fields[name].offset for name in "xyz"],
        "itemsize": cloud.point_step,
    }
    used = cloud.width * cloud.point_step
    if len(cloud.data) < cloud.height * cloud.row_step or cloud.row_step < used:
        raise UserError(
            f"a cloud of {cloud.width}x{cloud.height} points with {len(cloud.data)} bytes of data"
        )
    rows = np.frombuffer(cloud.data, np.uint8)[: cloud.height * cloud.row_step]
    rows = rows.reshape(cloud.height, cloud.row_step)[:, :used]
    points = np.ascontiguousarray(rows).view(np.dtype(layout)).reshape(-1)
    points = points[:: max(1, len(points) // _MOST)]
    return np.stack([points[name].astype(np.float64) for name in "xyz"], 1)


def _of_scan(scan: LaserScan) -> NDArray[np.float64]:
    ranges = np.array(scan.ranges, np.float64)
    angles = scan.angle_min + scan.angle_increment * np.arange(len(ranges))
    ranges[~((ranges >= scan.range_min) & (ranges <= scan.range_max))] = np.nan
    return np.stack([ranges * np.cos(angles), ranges * np.sin(angles), 0 * angles], 1)


def _of_depth(message: Image, info: CameraInfo | None) -> NDArray[np.float64]:
    depth = decode_depth(message)
    if info is None:
        raise UserError("a depth image without a camera_info")
    camera = camera_from_info(info, depth.shape[0], depth.shape[1], rectified=True)
    known = np.flatnonzero(np.isfinite(depth) & (depth > 0))
    known = known[:: max(1, len(known) // _MOST)]
    y, x = np.divmod(known, depth.shape[1])
    pixels = np.stack([x, y], 1).astype(np.float64)
    return np.asarray(rays(camera, pixels) * depth[y, x][:, None], np.float64)
