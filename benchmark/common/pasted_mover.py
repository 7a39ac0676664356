"""A textured board that moves by itself, pasted into a recording with known poses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from monodepth_ros.data.images.file import RgbImage
from monodepth_ros.data.sequence import Sequence, SequenceView
from monodepth_ros.geometry.rigid_motion import motion_of

Poses = NDArray[np.float64]
_NEAREST = 0.05  # of the board's distance: what is nearer to the camera's plane is not drawn


@dataclass(frozen=True)
class Mover:
    """A board that goes where the camera goes, and moves before it as ``course`` says.

    ``width`` and ``height`` are shares of the image where it faces the camera at its distance;
    ``course`` takes seconds to a twist, whose translation is in units of that distance. ``left``
    and ``top`` are where its middle is, in widths and heights of the image, 0 in the middle.
    """

    name: str
    width: float
    height: float
    course: Callable[[float], tuple[float, ...]]
    left: float = 0.0
    top: float = 0.0


def _sways(seconds: float) -> tuple[float, ...]:
    turn = np.pi * seconds / 2
    return (0.3 * np.sin(turn), 0, 0.15 * np.sin(turn / 2), 0, 0.3 * np.sin(turn), 0)


def _comes(seconds: float) -> tuple[float, ...]:
    """From the right within half a second, after one."""
    away = float(np.clip(3 - 2 * seconds, 0, 1)) * 1.5
    x, *others = _sways(max(seconds - 1.5, 0.0))
    return (x + away, *others)


def _keeps(seconds: float) -> tuple[float, ...]:
    return (0.0,) * 6


class WithMover(SequenceView):
    """A rectified recording with a board pasted over each image, in true perspective.

    ``texture`` is uint8 HxWx3. The board is ``distance`` metres away, and frames are ``step``
    seconds apart. It follows the camera's path, smoothed over a second: where the camera shakes,
    the board does not.
    """

    def __init__(
        self, whole: Sequence, mover: Mover, texture: RgbImage, distance: float, step: float
    ) -> None:
        super().__init__(whole)
        self.mover, self._texture = mover, texture
        poses = np.array([whole.pose(index) for index in range(len(whole))])
        carrier = smoothed(poses, 0.5 / step)
        self.T_camera_board = []
        for index, pose in enumerate(poses):
            twist = np.array(mover.course(index * step))
            twist[:3] *= distance
            place = np.eye(4)
            place[:3, 3] = distance * self._centre()
            T = np.linalg.inv(pose) @ carrier[index] @ place @ motion_of(twist)
            self.T_camera_board.append(T)
        camera = whole.camera
        size = np.array([mover.width * camera.width, mover.height * camera.height])
        self._sides = distance * size / np.array([camera.K[0, 0], camera.K[1, 1]])

    def _centre(self) -> NDArray[np.float64]:
        camera, mover = self.camera, self.mover
        x = (0.5 + mover.left) * camera.width - camera.K[0, 2]
        y = (0.5 + mover.top) * camera.height - camera.K[1, 2]
        return np.array([x / camera.K[0, 0], y / camera.K[1, 1], 1.0])

    def image(self, index: int) -> RgbImage:
        """The frame with the board over it."""
        image = self._whole.image(index)
        H = self._homography(index)
        if H is None:
            return image
        size = self.camera.width, self.camera.height
        drawn = cv2.warpPerspective(self._texture, H, size, flags=cv2.INTER_AREA)
        shape = self._texture.shape[:2]
        share = cv2.warpPerspective(np.full(shape, 1.0, np.float32), H, size)[..., None]
        return np.asarray((image * (1 - share) + drawn * share).round(), np.uint8)

    def depth(self, index: int) -> None:
        """None: what the board hides, and the board itself, have another."""
        return None

    @property
    def has_depth(self) -> bool:
        return False

    def _homography(self, index: int) -> NDArray[np.float64] | None:
        """From pixels of the texture to those of the image; None where it is behind the camera."""
        T, (width, height) = self.T_camera_board[index], self._sides
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
        points = corners @ T[:3, :2].T + T[:3, 3]
        if points[:, 2].min() < _NEAREST * points[:, 2].max():
            return None
        image = points @ self.camera.K.T
        rows, columns = self._texture.shape[:2]
        ends = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]]) - 0.5
        pixels = image[:, :2] / image[:, 2:]
        found = cv2.getPerspectiveTransform(ends.astype(np.float32), pixels.astype(np.float32))
        return np.asarray(found, np.float64)


def smoothed(poses: Poses, frames: float) -> Poses:
    """Poses (N, 4, 4) after a Gaussian filter of this standard deviation."""
    out, at = poses.copy(), poses[:, :3, 3]
    # A path goes on beyond its ends as it does before them.
    on = np.concatenate([2 * at[0] - at[:0:-1], at, 2 * at[-1] - at[-2::-1]])
    out[:, :3, 3] = gaussian_filter1d(on, frames, axis=0)[len(at) - 1 : 2 * len(at) - 1]
    mean = gaussian_filter1d(poses[:, :3, :3], frames, axis=0, mode="nearest")
    U, _, Vt = np.linalg.svd(mean)
    out[:, :3, :3] = Rotation.from_matrix(U @ Vt).as_matrix()
    return out


MOVERS = (
    Mover("sways", 0.45, 0.7, _sways),
    Mover("comes", 0.45, 0.75, _comes),
    Mover("keeps ahead", 0.35, 0.5, _keeps, top=0.1),
)
