"""A small recording in KITTI's raw layout, for measuring data pipelines on real image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 1242, 375
DATE, DRIVE = "2011_09_26", "2011_09_26_drive_0000_sync"
# Normalised focal lengths that the reference takes for every image of KITTI.
FX, FY = 0.58, 1.92


def write_recording(root: Path, frames: int, seed: int = 0) -> None:
    """JPEG frames (quality 92, as the reference's conversion) of two textured layers moving by."""
    rng = np.random.default_rng(seed)
    far = _texture(rng, HEIGHT, WIDTH + 4 * frames)
    near = _texture(rng, HEIGHT // 2, WIDTH + 11 * frames)
    folder = _image_folder(root)
    for number in range(frames):
        image = far[:, 4 * number : 4 * number + WIDTH].copy()
        image[-near.shape[0] :] = near[:, 11 * number : 11 * number + WIDTH]
        Image.fromarray(image).save(folder / f"{number:010d}.jpg", quality=92)
    _write_calibration(root / DATE)


def link_recording(root: Path, source: Path, frames: int) -> None:
    """The first ``frames`` images of a KITTI raw drive below ``source``, linked, not copied."""
    folders = sorted(source.glob("**/image_02/data"))
    if not folders:
        raise SystemExit(f"--data {source}: no drive below it, expected .../image_02/data")
    images = sorted(p for p in folders[0].iterdir() if p.suffix in (".jpg", ".png"))[:frames]
    folder = _image_folder(root)
    for number, image in enumerate(images):
        (folder / f"{number:010d}{image.suffix}").symlink_to(image.resolve())
    with Image.open(images[0]) as first:
        _write_calibration(root / DATE, *first.size)


def split_lines(root: Path) -> list[str]:
    """Every frame that has both neighbours, in the format of the reference's split files."""
    count = sum(1 for _ in _image_folder(root).iterdir())
    return [f"{DATE}/{DRIVE} {number} l" for number in range(1, count - 1)]


def camera_matrix(height: int, width: int) -> NDArray[np.float32]:
    """3x3 intrinsics that the reference takes for images of this size."""
    rows = [[FX * width, 0, 0.5 * width], [0, FY * height, 0.5 * height], [0, 0, 1]]
    return np.array(rows, np.float32)


def image_suffix(root: Path) -> str:
    """``.jpg`` or ``.png``."""
    return next(_image_folder(root).iterdir()).suffix


def _image_folder(root: Path) -> Path:
    folder = root / DATE / DRIVE / "image_02" / "data"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_calibration(date: Path, width: int = WIDTH, height: int = HEIGHT) -> None:
    """The camera that the reference assumes, so that both pipelines train on the same one."""
    projection = np.pad(camera_matrix(height, width), ((0, 0), (0, 1)))
    lines = {
        "S_rect_02": [width, height],
        "R_rect_00": [1, 0, 0, 0, 1, 0, 0, 0, 1],
        "P_rect_02": projection.ravel(),
    }
    text = "".join(f"{name}: {' '.join(f'{v:e}' for v in row)}\n" for name, row in lines.items())
    (date / "calib_cam_to_cam.txt").write_text(text)


def _texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Noise of all wavelengths from 4 to 256 pixels; it compresses about as street images do."""
    total = np.zeros((height, width, 3), np.float32)
    for wavelength in (4, 16, 64, 256):
        coarse = rng.uniform(0, 255, (height // wavelength + 2, width // wavelength + 2, 3))
        fine = Image.fromarray(coarse.astype(np.uint8)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        total += np.asarray(fine, np.float32) * wavelength**0.5
    total -= total.min()
    return (total * (255 / total.max())).astype(np.uint8)
