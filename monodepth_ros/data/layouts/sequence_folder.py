"""The project's own sequence folder: what is recorded, extracted and rendered, and trained on.

::

    sequence.yaml               version, camera, calibration, fps, depth_scale, frames, source,
                                licence, origin
    frames.csv                  one row for each frame, empty where a value is unknown
    images/000000.jpg           or .png
    depth/000000.png            uint16, depth_scale units to the metre, 0 invalid
    masks/reflective/000000.png optional
    extraction.json             what came of an extraction, written with its last frame
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from scipy.spatial.transform import Rotation

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.cameras.capture_settings import Calibration
from monodepth_ros.data.difference import difference
from monodepth_ros.data.images.file import DepthImage, RgbImage, read_depth_png
from monodepth_ros.data.known_pose import pose_of_quaternion
from monodepth_ros.data.layouts.file_sequence import FileSequence
from monodepth_ros.data.text_file import read_text
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.yaml_file import read_mapping

COLUMNS = ("index", "stamp_ns", "image", "depth", "tx", "ty", "tz", "qx", "qy", "qz", "qw", "speed")
POSE_COLUMNS = COLUMNS[4:11]
OUTCOME = "extraction.json"


class CameraRecord(BaseModel):
    """The ``camera`` of sequence.yaml; K row by row, in pixels of the stored images.

    ``is_crop``: they are a window of larger images, so the principal point may lie outside.
    """

    model_config = ConfigDict(extra="forbid")
    width: int
    height: int
    K: list[list[float]]
    distortion_model: str = "none"
    D: list[float] = []
    is_crop: bool = False


class ExtractionOrigin(BaseModel):
    """The ``origin`` of sequence.yaml: the recording that was extracted, and how.

    ``format`` is the version of the extraction, ``fingerprint`` that of the bag's files, and
    ``request`` holds the options that are not the default.
    """

    model_config = ConfigDict(extra="forbid")
    format: int
    bag: str
    fingerprint: str
    topic: str
    request: dict[str, Any] = {}


class SequenceRecord(BaseModel):
    """The content of sequence.yaml. ``depth_scale`` is in stored units to the metre.

    ``calibration`` says whether the camera was measured, or guessed from a field of view;
    ``origin`` is None for a sequence that was not extracted.
    """

    model_config = ConfigDict(extra="forbid")
    version: Literal[1] = 1
    camera: CameraRecord
    calibration: Calibration = "measured"
    fps: float = Field(gt=0, allow_inf_nan=False)
    depth_scale: float = Field(default=1000.0, gt=0, allow_inf_nan=False)
    camera_frame: str = "camera"
    world_frame: str = "world"
    source: str = ""
    licence: str = ""
    origin: ExtractionOrigin | None = None


class FolderSequence(FileSequence):
    """A sequence folder, read. Damage in its text files raises a UserError naming file and line."""

    def __init__(self, path: Path | str) -> None:
        folder = Path(path)
        self.record = read_record(folder / "sequence.yaml")
        rows = _read_rows(folder / "frames.csv")
        if not rows:
            raise UserError(f"{folder / 'frames.csv'}: the sequence has no frame")
        stated = self.record.camera.model_dump()
        if [len(row) for row in stated["K"]] != [3, 3, 3]:
            where = f"{folder / 'sequence.yaml'}: camera.K"
            raise UserError(f"{where} must be three rows of three, got {stated['K']}")
        camera = PinholeCamera(**stated).validate(str(folder / "sequence.yaml"))
        masks = [folder / "masks/reflective" / f"{Path(row['image']).stem}.png" for row in rows]
        scale = self.record.depth_scale
        super().__init__(
            name=folder.resolve().name,
            camera=camera,
            image_files=[folder / row["image"] for row in rows],
            depth_files=[folder / row["depth"] if row["depth"] else None for row in rows],
            read_depth=lambda file: read_depth_png(file, scale),
            reflective_files=[mask if mask.exists() else None for mask in masks],
            poses=[row["pose"] for row in rows]
            if any(row["states_pose"] for row in rows)
            else None,
            stamps_ns=[row["stamp_ns"] for row in rows],
            speeds=[row["speed"] for row in rows],
            numbers=[row["index"] for row in rows],
            calibration=self.record.calibration,
            number_rate=self.record.fps,
        )
        outcome = read_outcome(folder) or {}
        self.left_out = outcome.get("left_out", {})
        self.notes = tuple(dict.fromkeys(outcome.get("problems", ())))


def is_sequence_folder(path: Path) -> bool:
    """Whether ``path`` looks like a sequence folder."""
    return (path / "sequence.yaml").is_file()


def read_record(path: Path) -> SequenceRecord:
    """Read and validate a sequence.yaml."""
    if not path.exists():
        raise UserError(f"{path}: the file is missing; is this a sequence folder?")
    try:
        return SequenceRecord.model_validate(read_mapping(path, "a sequence's description"))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {key}: {first['msg']}, got {first['input']!r:.80}") from error


def read_outcome(folder: Path) -> dict[str, Any] | None:
    """What came of a complete extraction, None of one that was interrupted."""
    try:
        outcome: dict[str, Any] = json.loads((folder / OUTCOME).read_text())
        rows = (folder / "frames.csv").read_bytes().count(b"\n") - 1
    except (OSError, ValueError):
        return None
    return outcome if outcome.get("frames") == rows else None


def _read_rows(path: Path) -> list[dict[str, Any]]:
    text = read_text(path)
    complete = text[: text.rfind("\n") + 1]  # a killed writer may leave half a row
    reader = csv.DictReader(complete.splitlines())
    try:
        columns, rows = tuple(reader.fieldnames or ()), list(reader)
    except csv.Error as error:  # a NUL byte, up to Python 3.10
        raise UserError(f"{path}: not a CSV file: {error}") from None
    if columns != COLUMNS:
        raise UserError(f"{path}: the first line must be {','.join(COLUMNS)}")
    return [_parse_row(row, f"{path} line {number}") for number, row in enumerate(rows, start=2)]


def _parse_row(row: dict[str, str], where: str) -> dict[str, Any]:
    if None in row or None in row.values():
        raise UserError(f"{where}: expected {len(COLUMNS)} values")
    if not row["image"]:
        raise UserError(f"{where}: no image is named")
    stated = [row[column] for column in POSE_COLUMNS]
    try:
        numbers = [float(value) for value in stated] if any(stated) else []
        return {
            "index": int(row["index"]),
            "stamp_ns": int(row["stamp_ns"]) if row["stamp_ns"] else None,
            "image": row["image"],
            "depth": row["depth"],
            "pose": pose_of_quaternion(numbers[:3], numbers[3:]) if numbers else None,
            "states_pose": bool(numbers),
            "speed": float(row["speed"]) if row["speed"] else None,
        }
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


class SequenceWriter:
    """Writes a sequence folder frame by frame; a killed writer is simply started again.

    A frame counts once its row is in frames.csv, and that row is appended after the frame's files
    are in place. Opening the folder of an unfinished sequence continues behind its last complete
    frame: ``len(writer)`` tells how many there are, ``stamps`` of what time. A folder with another
    content is refused, and so is one that another process writes.
    """

    def __init__(
        self,
        path: Path | str,
        camera: PinholeCamera,
        fps: float,
        *,
        image_format: Literal["jpg", "png"] = "jpg",
        jpeg_quality: int = 95,
        **described: Any,
    ) -> None:
        """``described`` is what else a :class:`SequenceRecord` says, such as its ``source``."""
        self.path = Path(path)
        camera = self._camera = camera.validate(f"the camera of {self.path}")
        self._image_format = image_format
        self._jpeg_quality = jpeg_quality
        stated = CameraRecord(
            width=camera.width,
            height=camera.height,
            K=camera.K.tolist(),
            distortion_model=camera.distortion_model,
            D=list(camera.D),
            is_crop=camera.is_crop,
        )
        self._record = SequenceRecord(camera=stated, fps=fps, **described)
        self._claim_folder()
        with ExitStack() as opened:
            self._table = opened.enter_context(open(self.path / "frames.csv", "a", newline=""))
            try:
                fcntl.flock(self._table, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{self.path}: another process is writing there") from None
            self.stamps = _prepare_table(self.path / "frames.csv")
            opened.pop_all()
        self._count = len(self.stamps)

    def _claim_folder(self) -> None:
        file, record = self.path / "sequence.yaml", self._record
        if file.exists():
            changed = difference(read_record(file).model_dump(), record.model_dump())
            if changed:
                raise UserError(f"{file}: holds another sequence: {changed}; choose another folder")
            return
        if self.path.is_dir() and any(self.path.iterdir()):
            raise UserError(f"{self.path}: not empty and not a sequence; choose another folder")
        with atomic_path(file) as temporary:
            text = yaml.safe_dump(
                record.model_dump(exclude_none=True), sort_keys=False, default_flow_style=None
            )
            temporary.write_text(text)

    def __len__(self) -> int:
        return self._count

    def __enter__(self) -> SequenceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the table; every frame added so far is already on disk."""
        self._table.close()

    def add(
        self,
        image: RgbImage,
        depth: DepthImage | None = None,
        pose: NDArray[np.float64] | None = None,
        stamp_ns: int | None = None,
        speed: float | None = None,
        reflective: NDArray[np.bool_] | None = None,
    ) -> None:
        """Append one frame: units and shapes as :class:`~monodepth_ros.data.sequence.Sequence`.

        Depth beyond what 16 bits hold at ``depth_scale`` is stored as invalid.
        """
        size = (self._camera.height, self._camera.width)
        if image.shape != (*size, 3) or image.dtype != np.uint8:
            raise ValueError(f"expected a uint8 image of {size}, got {image.dtype} {image.shape}")
        for extra in (depth, reflective):
            if extra is not None and extra.shape != size:
                raise ValueError(f"expected depth and mask of {size}, got {extra.shape}")
        stem = f"{self._count:06d}"
        image_name = f"images/{stem}.{self._image_format}"
        depth_name = f"depth/{stem}.png" if depth is not None else ""
        self._save(image_name, image)
        if depth is not None:
            self._save(depth_name, self._encode_depth(depth))
        if reflective is not None:
            self._save(f"masks/reflective/{stem}.png", reflective.astype(np.uint8) * 255)
        row = [self._count, stamp_ns, image_name, depth_name, *_pose_values(pose), speed]
        csv.writer(self._table, lineterminator="\n").writerow(
            ["" if value is None else value for value in row]
        )
        self._table.flush()
        os.fsync(self._table.fileno())
        self._count += 1

    def _save(self, name: str, pixels: NDArray[np.generic]) -> None:
        with atomic_path(self.path / name) as temporary:
            # 4:4:4, because colour edges matter to a photometric loss; ignored by PNG.
            Image.fromarray(pixels).save(temporary, quality=self._jpeg_quality, subsampling=0)

    def _encode_depth(self, depth: DepthImage) -> NDArray[np.uint16]:
        stored = np.rint(depth.astype(np.float64) * self._record.depth_scale)
        valid = np.isfinite(stored) & (stored >= 1) & (stored <= np.iinfo(np.uint16).max)
        return np.where(valid, stored, 0).astype(np.uint16)


def _prepare_table(path: Path) -> list[int | None]:
    """Make frames.csv ready for appending; the stamps of the complete rows that it holds."""
    content = path.read_bytes()
    if b"\n" not in content:
        path.write_text(",".join(COLUMNS) + "\n")
        return []
    os.truncate(path, content.rfind(b"\n") + 1)
    return [row["stamp_ns"] for row in _read_rows(path)]


def _pose_values(pose: NDArray[np.float64] | None) -> list[float | None]:
    if pose is None:
        return [None] * len(POSE_COLUMNS)
    quaternion = Rotation.from_matrix(np.asarray(pose)[:3, :3]).as_quat()
    return [float(value) for value in (*np.asarray(pose)[:3, 3], *quaternion)]
