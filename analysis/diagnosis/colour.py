"""Colour selectivity of filters, and its division between groups of filters.

Reference: Krizhevsky, Sutskever & Hinton, 2012, NeurIPS 2012, figure 3: one tower of AlexNet came out
colour-agnostic, the other colour-specific.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from analysis.diagnosis.kernels import as_kernel
from convzoo.checks import integer

CERTAIN = 3.0
"""Standard errors by which the ranks of two groups must differ to say so; chance does it once in 370 times."""


@dataclasses.dataclass(frozen=True, eq=False)
class ColourSelectivity:
    """Colour in filters, group by group.

    Attributes:
      values: (F,) share of each filter's energy that is colour, from 0 (grey) to 1; nan: a filter of zeros.
      groups: (G,) the mean of each group.
      order: for two groups, the probability that a filter of the second is more selective than one of the first;
        nan otherwise.
      error: standard error of `order` if the groups did not differ.
    """

    values: np.ndarray
    groups: np.ndarray
    order: float
    error: float

    @property
    def divided(self) -> bool:
        """Whether the two groups differ by more than chance explains."""
        return abs(self.order - 0.5) > CERTAIN * self.error

    def __str__(self) -> str:
        means = " and ".join(f"{mean:.2f}" for mean in self.groups)
        if math.isnan(self.order):
            return f"colour selectivity {means}"
        share = f"a filter of group 1 is above one of group 0 in {100 * self.order:.0f} % of the pairs"
        verdict = f"group {int(self.order > 0.5)} is the one for colour" if self.divided else "no division of labour"
        return f"colour selectivity {means}; {share}: {verdict}"


def colour_selectivity(kernel: Any, groups: int = 1) -> ColourSelectivity:
    r"""The share of each filter's energy that a grey image cannot excite.

    .. math:: s = 1 - \frac{\lVert \bar w \rVert^2}{\lVert w \rVert^2}, \qquad
              \bar w_{ijc} = \tfrac13 \sum_{c'} w_{ijc'}

    It is 0 for a grey filter, 1 for one whose channels cancel, such as red against green, and 2/3 on average for
    random weights. Two groups are compared by the ranks of their filters (Mann and Whitney's test).

    Args:
      kernel: (k_h, k_w, 3, F).
      groups: how many consecutive groups the filters fall into, such as AlexNet's two towers.

    Returns:
      The `ColourSelectivity`; printed, it is a sentence.

    Raises:
      ValueError: a kernel of another shape, or a number of groups that does not divide the filters.

    Example:
      >>> grey, red_green = np.ones((1, 1, 3)), np.array([[[1.0, -1.0, 0.0]]])
      >>> colour_selectivity(np.stack([grey, red_green], -1)).values.tolist()
      [0.0, 1.0]
    """
    kernel = as_kernel(kernel)
    integer("groups", groups)
    if kernel.shape[2] != 3:
        raise ValueError(f"a kernel of shape {kernel.shape}: expected (k_h, k_w, 3, F), filters that see colours")
    if kernel.shape[3] % groups:
        raise ValueError(f"groups={groups} does not divide {kernel.shape[3]} filters")
    energy = np.square(kernel).sum((0, 1, 2))
    colour = np.square(kernel - kernel.mean(2, keepdims=True)).sum((0, 1, 2))
    values = np.where(energy > 0, colour / np.where(energy > 0, energy, 1), np.nan)
    parts = values.reshape(groups, -1)
    order, error = _ranks(*parts) if groups == 2 else (math.nan, math.nan)
    return ColourSelectivity(values, np.array([_mean(part) for part in parts]), order, error)


def _mean(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else math.nan


def _ranks(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    pairs = len(first) * len(second)
    if not pairs:
        return math.nan, math.nan
    gap = second[:, np.newaxis] - first
    return float(((gap > 0) + 0.5 * (gap == 0)).mean()), math.sqrt((len(first) + len(second) + 1) / (12 * pairs))
