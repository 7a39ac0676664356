"""The angle of rotations, exact for small ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rotation_angle(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radians from 0 to pi of rotations ``(..., 3, 3)``.

    By sine and cosine: the trace alone, a cosine, does not tell angles below 1e-8 from 0, and takes
    rounding of 1e-7, as of poses in text files, for an angle of 4e-4.
    """
    sine = 0.5 * np.linalg.norm(
        np.stack(
            [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]]
        ),
        axis=0,
    )
    cosine = 0.5 * (np.trace(R, axis1=-2, axis2=-1) - 1.0)
    return np.asarray(np.arctan2(sine, cosine))
