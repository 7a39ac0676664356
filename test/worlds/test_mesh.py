from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from monodepth_ros.worlds.mesh import Mesh, upright_frame


def corners(mesh: Mesh) -> np.ndarray:
    """Corners (m, 3, 3) of the triangles."""
    return np.concatenate(mesh.vertices)[np.concatenate(mesh.faces)]


def area(mesh: Mesh) -> float:
    a, b, c = np.moveaxis(corners(mesh), 1, 0)
    return float(0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum())


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda m: m.box((1, 2, 3), (2, 3, 4)), 2 * (6 + 8 + 12)),
        (
            lambda m: m.cylinder((0, 0, 0), (0, 0, 2), 0.5, sides=200),
            2 * np.pi * 0.5 * 2 + 2 * np.pi * 0.25,
        ),
        (
            lambda m: m.extrude(np.array([[0, 0], [3, 0], [3, 2], [0, 2]]), 0.5),
            2 * (6 + 3 * 1 + 2 * 1),
        ),
    ],
)
def test_solids_are_closed_and_of_right_size(
    build: Callable[[Mesh], None], expected: float
) -> None:
    mesh = Mesh()
    build(mesh)
    assert area(mesh) == pytest.approx(expected, rel=1e-3)


def test_frame_moves_and_turns() -> None:
    mesh = Mesh()
    mesh.box((2, 0, 0.5), (1, 0.1, 1), upright_frame(10, 20, np.pi / 2, 3))
    middle = corners(mesh).reshape(-1, 3)
    np.testing.assert_allclose((middle.max(0) + middle.min(0)) / 2, [10, 22, 3.5], atol=1e-9)


def test_texture_coordinates_are_metres() -> None:
    mesh = Mesh()
    mesh.quad(np.array([[0, 0, 0], [4, 0, 0], [4, 0, 3], [0, 0, 3]]))
    np.testing.assert_allclose(mesh.scaled_uvs((2.0, 3.0)).max(axis=0), [2.0, 1.0])
