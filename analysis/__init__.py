"""Seeing inside any JAX image classifier, and attacking it.

import analysis
from analysis import attacks
heat = analysis.saliency(logits_fn, images, labels)                  # any function images -> logits
heat = analysis.grad_cam(model, variables, images, labels, layer="stage3")
found = analysis.maximize(model, variables, (32, 32, 3), "stage3", [0, 1], key=key).images
adversarial = attacks.pgd(logits_fn, images, labels, attacks.Linf(8 / 255), key=key)
"""

from analysis import attacks, execution, metrics, taps
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
from analysis.visualize.caricature import caricature
from analysis.visualize.colour import colour_selectivity
from analysis.visualize.evidence import inversion_by_depth
from analysis.visualize.exemplars import chance_purity, class_purity, receptive_boxes, top_images
from analysis.visualize.figures import activation_figure, exemplar_figure, kernel_figure
from analysis.visualize.filters import filter_map
from analysis.visualize.health import health
from analysis.visualize.inversion import invert
from analysis.visualize.kernels import kernel_of, kernel_report
from analysis.visualize.optimal import maximize
from analysis.visualize.prior import DenoisingPrior, learn_denoiser
from analysis.visualize.regularizers import AlphaNorm, TotalVariation
from analysis.visualize.specialization import class_information, class_selectivity, specialization

__all__ = [
    "AlphaNorm",
    "DenoisingPrior",
    "TotalVariation",
    "activation_figure",
    "attacks",
    "cam",
    "caricature",
    "chance_purity",
    "channel_report",
    "class_information",
    "class_purity",
    "class_selectivity",
    "colour_selectivity",
    "deconvnet",
    "execution",
    "exemplar_figure",
    "filter_map",
    "grad_cam",
    "grad_cam_plus_plus",
    "guided_backprop",
    "guided_grad_cam",
    "health",
    "input_times_gradient",
    "integrated_gradients",
    "inversion_by_depth",
    "invert",
    "kernel_figure",
    "kernel_of",
    "kernel_report",
    "learn_denoiser",
    "maximize",
    "metrics",
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
