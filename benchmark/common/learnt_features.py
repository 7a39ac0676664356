"""SA4Depth with learnt features, by recipe keys on top of `training/sa4depth.yaml`."""

LEARNT_FEATURES = (
    "refinement.feat_source=depth_encoder",
    "refinement.dimensions=[32,32,16]",
    "refinement.iterations=4",
    "refinement.damping=0.31622776601683794",
    "refinement.learn_damping=true",
    "refinement.detach_depth=true",
    "refinement.gradient_steps=1",
    "refinement.automask=true",
    "losses.consistency.weight=1",
)
