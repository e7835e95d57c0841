"""Seeing inside any JAX image classifier, and attacking it.

import analysis
from analysis import attacks
heat = analysis.saliency(logits_fn, images, labels)                  # any function images -> logits
heat = analysis.grad_cam(model, variables, images, labels, layer="stage3")
adversarial = attacks.pgd(logits_fn, images, labels, attacks.Linf(8 / 255), key=key)
"""

from analysis import attacks, drive, taps
from analysis.attribution import grad_cam, occlusion, saliency

__all__ = ["attacks", "drive", "grad_cam", "occlusion", "saliency", "taps"]
