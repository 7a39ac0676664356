"""The motion between two views from matched rays: epipolar error and its robust minimum.

Rays are ``(N, 3)`` with last component 1, in the frame of their camera; a motion is
``T_first_second``, whose translation has length 1 where rays alone give it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.rigid_motion import Matrix, rigid

Rays = NDArray[np.float64]
_ITERATIONS = 20
_CONVERGED = 1e-7  # radians


def cross(a: Rays, b: Rays) -> Rays:
    """Cross products (N, 3) of vectors (N, 3), one may be (3,); NumPy's takes longer."""
    x, y, z = a.T
    u, v, w = b.T
    return np.stack([y * w - z * v, z * u - x * w, x * v - y * u], -1)


def skew(v: NDArray[np.float64]) -> Matrix:
    """Cross-product matrix of a vector (3,)."""
    x, y, z = v
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def turned(w: NDArray[np.float64]) -> Matrix:
    """Rotation matrix of an axis-angle (3,) in radians (Rodrigues)."""
    angle = float(np.linalg.norm(w))
    if angle < 1e-12:
        return np.eye(3) + skew(w)
    W = skew(w / angle)
    return np.asarray(np.eye(3) + np.sin(angle) * W + (1 - np.cos(angle)) * (W @ W))


def essential(T_first_second: Matrix) -> Matrix:
    """E with ``first . E second = 0`` for the rays of one point."""
    return np.asarray(skew(T_first_second[:3, 3]) @ T_first_second[:3, :3])


def sampson(T_first_second: Matrix, first: Rays, second: Rays) -> NDArray[np.float64]:
    """Signed epipolar error ``(N,)``: the distance of a match from the nearest that fits.

    To first order (Sampson, 1982), in the unit of the rays' x and y.
    """
    E = essential(T_first_second)
    in_first, in_second = second @ E.T, first @ E
    slope = (in_first[:, :2] ** 2).sum(1) + (in_second[:, :2] ** 2).sum(1)
    return np.asarray((first * in_first).sum(1) / np.sqrt(np.maximum(slope, 1e-24)))


def refined(
    T_first_second: Matrix, first: Rays, second: Rays, noise: float, iterations: int = _ITERATIONS
) -> tuple[Matrix, Matrix]:
    """The motion of least robust epipolar error near a first guess, and its information.

    Levenberg-Marquardt over the rotation and the direction of the translation, Cauchy weights of
    width ``noise`` (unit of the rays). The information (5, 5) is that of a turn about the second
    camera's axes and of two angles of the direction, for noise of that size.
    """
    T, damping = T_first_second.copy(), 1e-3
    error = sampson(T, first, second)
    cost = _cauchy(error, noise)
    J = _jacobian(T, first, second)
    for _ in range(iterations):
        weights = 1.0 / (noise**2 + error**2)
        H, g = (J.T * weights) @ J, J.T @ (weights * error)
        step = -np.linalg.solve(H + damping * np.diag(np.diag(H)) + 1e-12 * np.eye(5), g)
        tried = _moved(T, np.asarray(step, np.float64))
        tried_error = sampson(tried, first, second)
        tried_cost = _cauchy(tried_error, noise)
        if tried_cost > cost:
            damping *= 10
            if damping > 1e6:
                break
            continue
        T, error, cost, damping = tried, tried_error, tried_cost, damping / 10
        J = _jacobian(T, first, second)
        if np.abs(step).max() < _CONVERGED:
            break
    weights = 1.0 / (1.0 + (error / noise) ** 2)
    return T, (J.T * weights) @ J / noise**2


def _cauchy(error: NDArray[np.float64], width: float) -> float:
    return float(np.log1p((error / width) ** 2).sum())


def _tangent(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two unit vectors (3, 2) across a direction and each other."""
    S = skew(direction)
    across = S[:, np.abs(direction).argmin()]
    across = across / np.linalg.norm(across)
    return np.stack([across, S @ across], 1)


def _moved(T: Matrix, step: NDArray[np.float64]) -> Matrix:
    """The motion after a turn (3) and a change (2) of its direction."""
    t = T[:3, 3] + _tangent(T[:3, 3]) @ step[3:]
    return rigid(T[:3, :3] @ turned(step[:3]), t / np.linalg.norm(t))


def _jacobian(T: Matrix, first: Rays, second: Rays) -> NDArray[np.float64]:
    """Derivatives (N, 5) of the Sampson error by `_moved`; its denominator counts as constant."""
    R, t = T[:3, :3], T[:3, 3]
    E = essential(T)
    in_first, in_second = second @ E.T, first @ E
    slope = (in_first[:, :2] ** 2).sum(1) + (in_second[:, :2] ** 2).sum(1)
    # first . [t]x R (w x second) = (E^T first) . (w x second) = w . (second x E^T first)
    by_turn = cross(second, in_second)
    # first . (t x R second) = t . (R second x first)
    by_direction = cross(second @ R.T, first) @ _tangent(t)
    return np.asarray(
        np.concatenate([by_turn, by_direction], 1) / np.sqrt(np.maximum(slope, 1e-24))[:, None]
    )


def turns_of(
    first: Rays, second: Rays, weights: NDArray[np.float64] | float = 1.0
) -> NDArray[np.float64]:
    """``R_first_second`` (..., 3, 3) that best turns second rays (..., N, 3) to first (Kabsch)."""
    one = first / np.linalg.norm(first, axis=-1, keepdims=True)
    other = second / np.linalg.norm(second, axis=-1, keepdims=True)
    weighted = one * np.asarray(weights)[..., None]
    U, _, Vt = np.linalg.svd(weighted.swapaxes(-1, -2) @ other)
    U[..., 2] *= np.linalg.det(U @ Vt)[..., None]
    return np.asarray(U @ Vt)


def turn_error(R: NDArray[np.float64], first: Rays, second: Rays) -> NDArray[np.float64]:
    """First rays less second ones after turns ``(..., 3, 3)``, both at Z = 1: ``(..., N, 2)``."""
    seen = second @ np.swapaxes(R, -1, -2)
    return np.asarray(first[:, :2] - seen[..., :2] / np.maximum(seen[..., 2:], 1e-9))


def depths(
    T_first_second: Matrix, first: Rays, second: Rays
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Depths ``(N,)`` in both cameras where the rays of each match come nearest, of either sign.

    Infinite where the rays are parallel.
    """
    turned_second = second @ T_first_second[:3, :3].T
    t = T_first_second[:3, 3]
    normal = cross(first, turned_second)
    squared = (normal * normal).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        in_first = (cross(t, turned_second) * normal).sum(1) / squared
        in_second = (cross(t, first) * normal).sum(1) / squared
    return np.nan_to_num(in_first, nan=np.inf), np.nan_to_num(in_second, nan=np.inf)


def parallaxes(T_first_second: Matrix, first: Rays, second: Rays) -> NDArray[np.float64]:
    """Angles ``(N,)`` in radians between the two rays of each match."""
    turned_second = second @ T_first_second[:3, :3].T
    across = np.linalg.norm(cross(first, turned_second), axis=1)
    return np.arctan2(across, (first * turned_second).sum(1))
