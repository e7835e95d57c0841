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
from analysis.visualize.activations import channel_report
from analysis.visualize.colour import colour_selectivity
from analysis.visualize.exemplars import chance_purity, class_purity, receptive_boxes, top_images
from analysis.visualize.figures import activation_figure, exemplar_figure, kernel_figure
from analysis.visualize.health import health
from analysis.visualize.kernels import kernel_of, kernel_report
from analysis.visualize.specialization import class_information, class_selectivity, specialization

__all__ = [
    "activation_figure",
    "attacks",
    "cam",
    "chance_purity",
    "channel_report",
    "class_information",
    "class_purity",
    "class_selectivity",
    "colour_selectivity",
    "deconvnet",
    "drive",
    "exemplar_figure",
    "grad_cam",
    "grad_cam_plus_plus",
    "guided_backprop",
    "guided_grad_cam",
    "health",
    "input_times_gradient",
    "integrated_gradients",
    "kernel_figure",
    "kernel_of",
    "kernel_report",
    "neurons",
    "occlusion",
    "receptive_boxes",
    "saliency",
    "score_cam",
    "smoothgrad",
    "specialization",
    "taps",
    "top_images",
]
