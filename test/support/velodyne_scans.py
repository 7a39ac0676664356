"""Scans of a laser and their projection, point by point."""

from collections import Counter

import numpy as np


def naive_projection(scan: np.ndarray, projection: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The evaluation's definition, point by point."""
    height, width = size
    hits = []
    for x, y, z, _ in scan.tolist():
        if x < 0:
            continue
        u, v, w = projection @ np.array([x, y, z, 1.0])
        column, row = round(u / w) - 1, round(v / w) - 1
        if 0 <= column < width and 0 <= row < height:
            hits.append((row, column, x))
    depth = np.zeros(size)
    for row, column, x in hits:
        depth[row, column] = x
    keys = [row * (width - 1) + column - 1 for row, column, _ in hits]
    for key, count in Counter(keys).items():
        if count > 1:
            members = [hit for hit, of in zip(hits, keys, strict=True) if of == key]
            row, column, _ = members[0]
            depth[row, column] = min(x for _, _, x in members)
    return depth


def random_scan(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points around the scanner and a projection that looks forward."""
    rng = np.random.default_rng(seed)
    scan = rng.uniform(-20, 20, (count, 4)).astype(np.float32)
    axes = np.array([[0, -1, 0, 0.1], [0, 0, -1, -0.2], [1, 0, 0, -0.3]])  # x right, y down
    K = np.array([[20.0, 0, 9.7], [0, 21.0, 5.2], [0, 0, 1]])
    return scan, K @ axes
