"""Parameters of a node with several cameras, and the names of the cameras."""

from __future__ import annotations

import re
from collections.abc import Sequence

from monodepth_ros.errors import UserError
from monodepth_ros.nodes.parameters import ParameterSpec, advanced
from monodepth_ros.nodes.scale.parameters import SCALE_PARAMETERS

_NAMESPACE = re.compile(r"/?[A-Za-z_]\w*(/[A-Za-z_]\w*)*", re.ASCII)
CAMERAS_PARAMETERS = (
    ParameterSpec(
        "cameras",
        ("",),
        "namespaces of several cameras that share the model, such as [front, left, rear]: each"
        " camera's topics, results included, lie in its namespace; none: one camera, in the"
        " namespace of the node. `front.camera_height` and `front.scale_factor` are those of the"
        " camera `front` alone",
        members=tuple(
            spec for spec in SCALE_PARAMETERS if spec.name in ("scale_factor", "camera_height")
        ),
    ),
    *advanced(
        ParameterSpec(
            "max_batch",
            0,
            "most cameras whose images go into one run of the network; those that were served"
            " longest ago come first; 0: all that have an image",
            bounds=(0, 256),
        )
    ),
)


def checked_names(names: Sequence[str]) -> list[str]:
    """The names of the cameras; UserError for one that is no namespace, or given twice."""
    for name in names:
        if not _NAMESPACE.fullmatch(name):
            raise UserError(
                f"parameter cameras: {name!r} is not a namespace: use letters, digits and _, such"
                " as front or rig/front"
            )
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise UserError(f"parameter cameras: {', '.join(twice)} is given more than once")
    return list(names)
