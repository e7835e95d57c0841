"""Which pixels a score depends on: one method (family) a file.

Maps are raw: never normalised, and signed where the method is. Each example's map depends on that
example alone.
"""

from analysis.attribution.grad_cam import grad_cam
from analysis.attribution.occlusion import occlusion
from analysis.attribution.saliency import saliency

__all__ = ["grad_cam", "occlusion", "saliency"]
