"""Seeing inside any JAX image classifier, and attacking it.

import analysis
from analysis import attacks
heat = analysis.saliency(logits_fn, images, labels)                  # any function images -> logits
heat = analysis.grad_cam(model, variables, images, labels, layer="stage3")
adversarial = attacks.pgd(logits_fn, images, labels, attacks.Linf(8 / 255), key=key)
"""

from analysis import attacks, drive, taps
from analysis.attribution import (
    cam,
    deconvnet,
    grad_cam,
    grad_cam_plus_plus,
    guided_backprop,
    guided_grad_cam,
    input_times_gradient,
    integrated_gradients,
    occlusion,
    saliency,
    score_cam,
    smoothgrad,
)
from analysis.taps import neurons

__all__ = [
    "attacks",
    "cam",
    "deconvnet",
    "drive",
    "grad_cam",
    "grad_cam_plus_plus",
    "guided_backprop",
    "guided_grad_cam",
    "input_times_gradient",
    "integrated_gradients",
    "neurons",
    "occlusion",
    "saliency",
    "score_cam",
    "smoothgrad",
    "taps",
]
