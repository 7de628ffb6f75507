"""Losses and their targets, each over all valid pixels of a batch; a batch without any gives 0, never NaN."""

from rgbd_perception.training.losses.contrast import class_contrast_loss
from rgbd_perception.training.losses.distillation import (
    cosine_distillation_loss,
    distillation_loss,
    distillation_terms,
)
from rgbd_perception.training.losses.instances import (
    InstanceTargets,
    InstanceWeights,
    center_loss,
    center_terms,
    instance_loss,
    instance_targets,
    offset_loss,
    offset_terms,
    orientation_loss,
    orientation_terms,
    scene_loss,
    side_sigma,
)
from rgbd_perception.training.losses.semantic import (
    cross_entropy_loss,
    cross_entropy_terms,
    hard_pixel_loss,
    token_score_loss,
    two_head_loss,
)
from rgbd_perception.training.losses.targets import segment_targets
from rgbd_perception.training.losses.terms import Terms, mean_over
