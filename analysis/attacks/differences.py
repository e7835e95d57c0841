"""Finite differences: gradients measured coordinate by coordinate, from scores alone.

Reference: Chen et al., 2017, arXiv:1708.03999, whose estimate this is, over all coordinates instead of some.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from analysis.attacks.estimation import climb, length_of_step
from analysis.attacks.queries import Queried, attack, of_scores, radius
from analysis.attacks.threat import Threat
from convzoo.checks import integer, number

PIECE = 32
"""Coordinates that one image asks about at once, so that memory does not grow with the size of images."""


def finite_differences(
    predict: Callable[[np.ndarray], Any],
    images: Any,
    labels: Any,
    threat: Threat,
    steps: int = 10,
    step_size: float | None = None,
    width: float = 0.01,
    targets: Any = None,
    batch_size: int | None = None,
) -> Queried:
    r"""Projected ascent along two-sided differences of the margin over all pixels and channels.

    .. math:: \hat g_j = \frac{m(x + h e_j) - m(x - h e_j)}{2 h}

    with m the largest score of another class less the label's. At a limit of [0, 1] the difference is one-sided. A
    step costs 2 · H · W · C + 1 queries: for small images, and as an exact standard for attacks that estimate. It
    assumes scores precise enough for differences over `width`: those of a server that rounds may all be zero. A
    failure shows no more than that of `attacks.pgd` with as many steps and no random start.

    Args:
      predict: (M, H, W, C) NumPy images → (M, classes) logits or probabilities; only called, never traced.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      threat: `attacks.Linf(eps)`, `attacks.L2(eps)` or another; eps 0 gives the images back.
      steps: the most steps; an image that reaches the goal asks no more.
      step_size: length of a step in the threat's norm; None: 2.5 · eps / steps, as in `attacks.pgd`.
      width: h, of a difference to each side, above 0 and at most 0.5.
      targets: (N,) classes to be taken for; None: any but the label.
      batch_size: images of a call, as in `attacks.queries.attack`; None: all that are asked about, of each image
        the two sides of 32 coordinates.

    Returns:
      `Queried`: adversarial images, in [0, 1] and in the ball up to the rounding of their type, and (N,) queries
      until success. An image without success is the iterate of largest margin.

    Raises:
      ValueError: images, labels, targets, threat or numbers that are not of the above, or scores that are malformed
        or not finite.

    Example:
      >>> from analysis.attacks import Linf
      >>> linear = lambda images: images[:, 0, 0] @ np.array([[1.0, -1.0]], np.float32)
      >>> made = finite_differences(linear, np.full((1, 1, 1, 1), 0.125, np.float32), [0], Linf(0.25), steps=1)
      >>> made.images.item(), made.queries.item()
      (0.0, 4)
    """
    integer("steps", steps)
    number("width", width, 0, 0.5, above=True)
    if step_size is not None:
        number("step_size", step_size, 0)
    size = length_of_step(step_size, radius(threat), steps)

    def plan(_, image, random):
        return climb(image, threat, steps, size, 0.0, lambda at: _estimate(at, width))

    return attack(predict, of_scores, images, labels, targets, batch_size, None, plan)


def _estimate(image, width):
    flat, gradient = image.ravel(), np.zeros(image.size)
    for first in range(0, image.size, PIECE):
        places = np.arange(first, min(first + PIECE, image.size))
        count = len(places)
        asked = np.repeat(flat[None], 2 * count, 0)
        above, below = np.minimum(flat[places] + width, 1), np.maximum(flat[places] - width, 0)
        asked[np.arange(count), places], asked[np.arange(count, 2 * count), places] = above, below
        ahead, behind = np.split((yield asked.reshape(-1, *image.shape)), 2)
        gradient[places] = (ahead - behind) / (above - below)
    return gradient.reshape(image.shape)
