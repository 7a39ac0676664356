"""New corners of an image, where it has the fewest."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_BLOCK = 5  # pixels along the side of the window whose gradients are summed
_MIN_CELL = 6  # pixels; corners are about as far apart at least
_FAINTEST = 0.005  # of a good corner of the same image
_NOISE = 5e-5  # what a sensor's noise of two grey levels shows as


def new_corners(
    grey: NDArray[np.uint8],
    count: int,
    taken: NDArray[np.float64],
    allowed: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Whole pixels ``(N, 2)`` of new corners, so that with ``taken`` (M, 2) there are ``count``.

    ``allowed`` (h, w) says where. Small cells offer their best corner each, by the smaller
    eigenvalue of its gradients (Shi and Tomasi, 1994). Blocks of four cells take turns, those with
    the fewest points first.
    """
    height, width = grey.shape
    cell = max(_MIN_CELL, int(np.sqrt(height * width / count) / 2))
    rows, columns = height // cell, width // cell
    if count <= len(taken) or rows * columns == 0:
        return np.empty((0, 2))
    strength = np.where(allowed, cv2.cornerMinEigenVal(grey, _BLOCK), 0.0)
    top, left = (height - rows * cell) // 2, (width - columns * cell) // 2
    x, y, best = _best_of_cells(strength[top:, left:], rows, columns, cell)
    x, y = x + left, y + top

    def block_of(x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.int64]:
        row = np.clip((y - top) // cell, 0, rows - 1) // 2
        column = np.clip((x - left) // cell, 0, columns - 1) // 2
        return np.asarray(row * columns + column)

    chosen = np.flatnonzero(best > max(_NOISE, _FAINTEST * float(np.quantile(best, 0.9))))
    chosen = chosen[_away(np.stack([x[chosen], y[chosen]], 1), taken, cell / 2)]
    chosen = chosen[np.argsort(-best[chosen], kind="stable")]
    blocks = block_of(x[chosen], y[chosen])
    points = np.bincount(block_of(*taken.round().astype(np.int64).T), minlength=rows * columns)
    turn = points[blocks] + _occurrence(blocks)
    chosen = chosen[np.argsort(turn, kind="stable")][: count - len(taken)]
    return np.stack([x[chosen], y[chosen]], 1).astype(np.float64)


def _away(
    corners: NDArray[np.int64], taken: NDArray[np.float64], distance: float
) -> NDArray[np.bool_]:
    """Which corners (N, 2) are further than ``distance`` from all taken points, in x or in y."""
    if not len(taken):
        return np.ones(len(corners), bool)
    from scipy.spatial import cKDTree

    # The limit of the search excludes itself.
    limit = float(np.nextafter(distance, np.inf))
    nearest, _ = cKDTree(taken).query(corners, p=np.inf, distance_upper_bound=limit)
    return np.asarray(nearest > distance)


def _best_of_cells(
    strength: NDArray[np.floating], rows: int, columns: int, cell: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]:
    """x, y and strength, (rows * columns,) each, of the strongest pixel of each cell."""
    whole = strength[: rows * cell, : columns * cell].reshape(rows, cell, columns, cell)
    cells = whole.swapaxes(1, 2).reshape(rows * columns, cell * cell)
    inside = cells.argmax(1)
    row, column = np.divmod(np.arange(rows * columns), columns)
    best = cells[np.arange(len(cells)), inside]
    return column * cell + inside % cell, row * cell + inside // cell, best


def _occurrence(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often the value of each place has come before it."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(values)))
    before = np.empty(len(values), np.int64)
    before[order] = np.arange(len(values)) - np.repeat(starts, lengths)
    return before
