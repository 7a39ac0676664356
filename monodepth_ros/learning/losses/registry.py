"""The losses by the names that recipes use.

They are evaluated in this order, and so is what they draw at random.
"""

from __future__ import annotations

from typing import Any

from pydantic import create_model

from monodepth_ros.learning.losses.depth_comparison import Rehearsal, Supervised, TeacherDepth
from monodepth_ros.learning.losses.gradient_matching import GradientMatching
from monodepth_ros.learning.losses.loss import Loss, Section
from monodepth_ros.learning.losses.photometric import Photometric
from monodepth_ros.learning.losses.pose import Consistency, Pose
from monodepth_ros.learning.losses.scale_shift_invariant import ScaleShiftInvariant
from monodepth_ros.learning.losses.semantic_preservation import SemanticPreservation
from monodepth_ros.learning.losses.smoothness import Planarity, Smoothness
from monodepth_ros.learning.losses.triangulation import Triangulation
from monodepth_ros.learning.losses.uncertainty import (
    DepthUncertainty,
    PhotometricUncertainty,
    SelfTaught,
)

LOSSES: dict[str, type[Loss]] = {
    loss.name: loss
    for loss in (
        Photometric,
        Smoothness,
        Planarity,
        Triangulation,
        Consistency,
        Supervised,
        TeacherDepth,
        ScaleShiftInvariant,
        GradientMatching,
        SemanticPreservation,
        Pose,
        Rehearsal,
        DepthUncertainty,
        SelfTaught,
        PhotometricUncertainty,
    )
}


def parse_losses(raw: Any) -> dict[str, Loss]:
    """The losses that are named and not null, in the order of evaluation.

    Raises pydantic's ValidationError for a name or a key that is not known.
    """
    fields: dict[str, Any] = {name: (loss | None, None) for name, loss in LOSSES.items()}
    model: type[Section] = create_model("Losses", __base__=Section, **fields)
    named = dict(model.model_validate(raw))
    return {name: loss for name, loss in named.items() if loss is not None}
