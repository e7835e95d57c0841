"""Attribution: maps of the pixels that a score depends on, one family of methods a file.

Maps are raw: never normalised, and signed where the method is. Each example's map depends on that
example alone.
"""

from analysis.attribution.class_activation import cam
from analysis.attribution.gradient_weighted import grad_cam, grad_cam_plus_plus
from analysis.attribution.gradients import input_times_gradient, saliency
from analysis.attribution.guided import deconvnet, guided_backprop, guided_grad_cam
from analysis.attribution.integration import integrated_gradients
from analysis.attribution.perturbation import occlusion
from analysis.attribution.score_weighted import score_cam
from analysis.attribution.smoothing import smoothgrad

__all__ = [
    "cam",
    "deconvnet",
    "grad_cam",
    "grad_cam_plus_plus",
    "guided_backprop",
    "guided_grad_cam",
    "input_times_gradient",
    "integrated_gradients",
    "occlusion",
    "saliency",
    "score_cam",
    "smoothgrad",
]
