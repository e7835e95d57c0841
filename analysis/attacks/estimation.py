"""Ascent along gradients that are estimated from differences of margins, for attacks that know scores alone."""

from collections.abc import Callable, Generator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis.attacks.queries import Plan
from analysis.attacks.search import ascend
from analysis.attacks.threat import Threat

Estimate = Callable[[np.ndarray], Generator[np.ndarray, np.ndarray, np.ndarray]]


def climb(image: np.ndarray, threat: Threat, steps: int, step_size: float, momentum: float, estimate: Estimate) -> Plan:
    """Projected ascent of one image's margin, until its goal is reached.

    Args:
      image: (H, W, C).
      threat: the ball.
      steps: the most steps.
      step_size: length of a step in the threat's norm.
      momentum: share of the direction that each step keeps from those before, in [0, 1).
      estimate: (H, W, C) image → a plan that returns the gradient of the margin there, up to its length.

    Returns:
      The plan of `analysis.attacks.queries`, which returns the image of largest margin; each step asks once for the
      image that it comes to.
    """
    margin = (yield image[None])[0]
    best, current, direction = image, image, np.zeros_like(image)
    for _ in range(steps):
        if margin > 0:
            break
        gradient = yield from estimate(current)
        direction = momentum * direction + (1 - momentum) * gradient.astype(image.dtype)
        current = np.asarray(_ascend(current, direction, image, threat, step_size))
        result = (yield current[None])[0]
        if result > margin:
            best, margin = current, result
    return best


@jax.jit
def _ascend(image, gradient, centre, threat, step_size):
    """One image at a time: the same program, and the same bits, for any number of images."""
    return jnp.squeeze(ascend(image[None], gradient[None], centre[None], threat, step_size), 0)


def length_of_step(step_size: Any, eps: float, steps: int) -> float:
    """The length of a step: as in `attacks.pgd`, 2.5 · eps / steps by default.

    Example:
      >>> length_of_step(None, 0.25, 5)
      0.125
    """
    return 2.5 * eps / steps if step_size is None else step_size
