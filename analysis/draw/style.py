"""The style of all pictures: the colours, dashes and sizes of `convzoo.plots`, and the hues of signed maps."""

import numpy as np

from convzoo.plots import PALETTE, SERIES, STYLE

__all__ = ["AGAINST", "FOR", "PALETTE", "SERIES", "STYLE"]

AGAINST, FOR = np.array([0.25, 0.65, 1.0]), np.array([1.0, 0.42, 0.1])
