"""Which pixels a score depends on: one method (family) a file.

Maps are raw: never normalised, and signed where the method is. Each example's map depends on that
example alone.
"""

from analysis.attribution.cam import cam
from analysis.attribution.grad_cam import grad_cam, grad_cam_plus_plus
from analysis.attribution.guided_backprop import deconvnet, guided_backprop
from analysis.attribution.guided_grad_cam import guided_grad_cam
from analysis.attribution.integrated_gradients import integrated_gradients
from analysis.attribution.occlusion import occlusion
from analysis.attribution.saliency import input_times_gradient, saliency
from analysis.attribution.score_cam import score_cam
from analysis.attribution.smoothgrad import smoothgrad

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
