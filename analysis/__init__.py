"""Seeing inside any JAX image classifier, and attacking it.

import analysis
from analysis import attacks
heat = analysis.saliency(logits_fn, images, labels)                  # any function images -> logits
heat = analysis.grad_cam(model, variables, images, labels, layer="stage3")
made = analysis.maximize(model, variables, (32, 32, 3), "stage3", [0, 1], key=key).images
adversarial = attacks.pgd(logits_fn, images, labels, attacks.Linf(8 / 255), key=key)
"""

import convzoo  # noqa: F401, refuses old versions of Python
from analysis import attacks, diagnosis, execution, features, metrics, taps
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
from analysis.diagnosis.health import health
from analysis.features.caricature import caricature
from analysis.features.invert import invert
from analysis.features.maximize import maximize
from analysis.features.top_images import top_images
from analysis.taps import neurons
from convzoo.moved import moved

__all__ = [
    "attacks",
    "cam",
    "caricature",
    "deconvnet",
    "diagnosis",
    "execution",
    "features",
    "grad_cam",
    "grad_cam_plus_plus",
    "guided_backprop",
    "guided_grad_cam",
    "health",
    "input_times_gradient",
    "integrated_gradients",
    "invert",
    "maximize",
    "metrics",
    "neurons",
    "occlusion",
    "saliency",
    "score_cam",
    "smoothgrad",
    "taps",
    "top_images",
]

MOVED = {
    "diagnosis": (
        *("activation_figure", "chance_purity", "channel_report", "class_information", "class_purity"),
        *("class_selectivity", "colour_selectivity", "kernel_figure", "kernel_of", "kernel_report", "specialization"),
    ),
    "features": (
        *("AlphaNorm", "DenoisingPrior", "TotalVariation", "exemplar_figure", "filter_map", "inversion_by_depth"),
        *("learn_denoiser", "receptive_boxes"),
    ),
}
"""Names of this package in the version before, by the sub-package that holds them now."""

__getattr__ = moved(
    __name__,
    {name: f"analysis.{home}.{name}" for home, names in MOVED.items() for name in names}
    | {"drive": "analysis.execution"},
)
