"""Features: what units respond to and what layers keep, by optimisation and by search in a data set.

`maximize`, `invert`, `caricature` and `top_images` are functions of `analysis`; what they are made of is here.
"""

from analysis.features.evidence import beyond_data, variation_at_equal_activation
from analysis.features.filters import filter_map
from analysis.features.invert import inversion_by_depth
from analysis.features.parametrizations import Fourier, Pixels
from analysis.features.prior import DenoisingPrior, learn_denoiser
from analysis.features.regularizers import AlphaNorm, TotalVariation
from analysis.features.top_images import exemplar_figure, receptive_boxes
from analysis.features.transforms import Jitter, Rotate, Scale

__all__ = [
    "AlphaNorm",
    "DenoisingPrior",
    "Fourier",
    "Jitter",
    "Pixels",
    "Rotate",
    "Scale",
    "TotalVariation",
    "beyond_data",
    "exemplar_figure",
    "filter_map",
    "inversion_by_depth",
    "learn_denoiser",
    "receptive_boxes",
    "variation_at_equal_activation",
]
