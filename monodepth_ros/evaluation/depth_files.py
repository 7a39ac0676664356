"""Depth predictions and truth as files: .npy arrays and 16-bit PNG, paired by name."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame, read_depth_png
from monodepth_ros.errors import UserError
from monodepth_ros.evaluation.depth_evaluation import DepthPair, PairSource
from monodepth_ros.evaluation.depth_protocol import DepthProtocol, depth_from_disparity
from monodepth_ros.evaluation.uncertainty.image import UncertaintyMaps
from monodepth_ros.geometry.image_size import resize_linear
from monodepth_ros.overlap import in_threads
from monodepth_ros.shared_work import file_state

SUFFIXES = (".npy", ".png")  # an array goes before a picture of the same name


def read_depth_pairs(
    predictions: str | Path,
    truth: str | Path,
    protocol: DepthProtocol,
    predictions_are_disparity: bool = False,
    uncertainty: bool = False,
) -> PairSource:
    """Pair the files of two folders by name without suffix, in the order of the names.

    `.npy` holds metres (HxW, or one leading or trailing axis of length 1), NaN or 0 invalid; `.png`
    holds 16 bits, `protocol.png_scale` units to the metre, 0 invalid. A truth without prediction is
    a pair with a problem. With ``uncertainty``, NAME_confidence.npy and NAME_stddev.npy (of depth,
    in its unit) are read where they stand beside NAME.npy or NAME_depth.npy. UserError for a folder
    that is absent or empty, folders without a common name, and a file that is no depth image.
    """
    predicted, true = depth_files(predictions), depth_files(truth)
    beside = {name: _maps_beside(path) if uncertainty else {} for name, path in predicted.items()}
    if uncertainty and not any(beside.values()):
        raise UserError(
            f"{predictions}: no NAME_confidence.npy or NAME_stddev.npy beside NAME.npy or"
            " NAME_depth.npy, so there is no uncertainty to evaluate"
        )
    if not predicted.keys() & true.keys():
        raise UserError(
            f"no file of {predictions} has the name of one in {truth} "
            f"(for example '{next(iter(predicted))}' and '{next(iter(true))}')"
        )

    def pair(name: str) -> DepthPair:
        if name not in predicted:
            return DepthPair("files", name, problem="no prediction of that name")
        target = read_depth(true[name], protocol.png_scale)
        prediction = read_depth(predicted[name], protocol.png_scale)
        disparity = prediction if predictions_are_disparity else depth_from_disparity(prediction)
        maps = {kind: read_depth(path, 1.0) for kind, path in beside[name].items()}
        if "stddev" in maps:
            maps["stddev"] = maps["stddev"] * resize_linear(disparity, maps["stddev"].shape)
        # A prediction of the full view is cut like the truth; another size is of the kept rows.
        disparity, *cut = (
            each[: protocol.rows(len(each))] if each.shape == target.shape else each
            for each in (disparity, *maps.values())
        )
        known = dict(zip(maps, cut, strict=True))
        of_error = UncertaintyMaps(known.get("confidence"), known.get("stddev")) if known else None
        rows = protocol.rows(len(target))
        return DepthPair("files", name, disparity, target[:rows], maps=of_error)

    def state() -> object:
        maps = {f"{name} {kind}": path for name in beside for kind, path in beside[name].items()}
        return predictions_are_disparity, [
            [*map(file_state, f.values())] for f in (predicted, true, maps)
        ]

    return PairSource(list(true), partial(in_threads, pair), state)


def _maps_beside(path: Path) -> dict[str, Path]:
    """The files of confidence and standard deviation beside a prediction, by these words."""
    name = path.stem.removesuffix("_depth")
    files = {kind: path.with_name(f"{name}_{kind}.npy") for kind in ("confidence", "stddev")}
    return {kind: file for kind, file in files.items() if file.exists()}


def depth_files(folder: str | Path) -> dict[str, Path]:
    """The depth files of a folder by their name without suffix, sorted."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of depth files")
    files: dict[str, Path] = {}
    for suffix in SUFFIXES:
        for path in sorted(folder.glob(f"*{suffix}")):
            files.setdefault(path.stem, path)
    if not files:
        raise UserError(f"{folder}: no .npy or .png file in it")
    return dict(sorted(files.items()))


def read_depth(path: Path, png_scale: float) -> NDArray[np.floating]:
    """HxW from one file, NaN where a PNG has 0; UserError naming the file for anything else."""
    if path.suffix == ".png":
        try:
            return read_depth_png(path, png_scale)
        except CorruptFrame as error:
            raise UserError(str(error)) from error
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: not a readable .npy array ({error})") from error
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[0] if array.shape[0] == 1 else array[:, :, 0]
    if array.ndim != 2 or array.size == 0 or not np.issubdtype(array.dtype, np.floating):
        raise UserError(
            f"{path}: {array.dtype} of shape {array.shape}; "
            "depth is a float array of height x width"
        )
    return np.asarray(array)
