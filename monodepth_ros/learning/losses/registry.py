"""The losses by the names that recipes use.

They are evaluated in this order, and so is what they draw at random.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import create_model

from monodepth_ros.learning.losses.consistency import Consistency
from monodepth_ros.learning.losses.loss import Loss, LossSettings, Section
from monodepth_ros.learning.losses.photometric import Photometric
from monodepth_ros.learning.losses.planarity import Planarity
from monodepth_ros.learning.losses.pose import Pose
from monodepth_ros.learning.losses.rehearsal import Rehearsal
from monodepth_ros.learning.losses.smoothness import Smoothness
from monodepth_ros.learning.losses.supervised import Supervised
from monodepth_ros.learning.losses.teacher import TeacherDepth

LOSSES: dict[str, type[Loss[Any]]] = {
    loss.name: loss
    for loss in (
        Photometric,
        Smoothness,
        Planarity,
        Consistency,
        Supervised,
        TeacherDepth,
        Pose,
        Rehearsal,
    )
}


def parse_losses(raw: Any) -> dict[str, LossSettings]:
    """The settings of the losses that are named and not null, in the order of evaluation.

    Raises pydantic's ValidationError for a name or a key that is not known.
    """
    fields: dict[str, Any] = {name: (loss.Settings | None, None) for name, loss in LOSSES.items()}
    model: type[Section] = create_model("Losses", __base__=Section, **fields)
    named = dict(model.model_validate(raw))
    return {name: settings for name, settings in named.items() if settings is not None}


def build_losses(settings: Mapping[str, LossSettings]) -> list[Loss[Any]]:
    """Those with a weight."""
    return [LOSSES[name](s) for name, s in settings.items() if s.weight > 0]
