"""Natural evolution strategies: gradients estimated from scores in random directions.

Reference: Ilyas, Engstrom, Athalye & Lin, 2018, arXiv:1804.08598.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from analysis.attacks.estimation import climb, length_of_step
from analysis.attacks.queries import Queried, attack, of_scores, radius, required
from analysis.attacks.threat import Threat
from convzoo.checks import integer, number


def nes(
    predict: Callable[[np.ndarray], Any],
    images: Any,
    labels: Any,
    threat: Threat,
    queries: int = 5000,
    key: jax.Array | None = None,
    samples: int = 50,
    sigma: float = 0.001,
    step_size: float | None = None,
    momentum: float = 0.9,
    targets: Any = None,
    batch_size: int | None = None,
) -> Queried:
    r"""Projected ascent along gradients that are averaged over pairs of opposite random directions.

    .. math:: \hat g = \frac{1}{n \sigma} \sum_{i=1}^{n/2} \big( m(x + \sigma u_i) - m(x - \sigma u_i) \big) u_i,
              \qquad u_i \sim \mathcal{N}(0, I)

    with m the largest score of another class less the label's. It assumes that scores are smooth over a distance of
    `sigma`: where they are rounded or the function is flat, all differences are zero and the image stays. The
    variance of the estimate grows with the number of pixels. A failure shows that this budget of queries was too
    small for these estimates, not that no adversarial image is near.

    Args:
      predict: (M, H, W, C) NumPy images → (M, classes) logits or probabilities; only called, never traced.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      threat: `attacks.Linf(eps)`, `attacks.L2(eps)` or another; eps 0 gives the images back.
      queries: the most images that `predict` is asked about for each: the image, and `samples` + 1 a step. An image
        that reaches the goal asks no more.
      key: from `jax.random.key`. Image i uses a NumPy generator seeded from `fold_in(key, i)`, whatever the batch size.
      samples: images asked about for an estimate; even.
      sigma: standard deviation of a pixel in them; what leaves [0, 1] is clipped.
      step_size: length of a step in the threat's norm; None: 2.5 · eps / steps, as in `attacks.pgd`.
      momentum: share of the direction that each step keeps from those before, in [0, 1).
      targets: (N,) classes to be taken for; None: any but the label.
      batch_size: images of a call, as in `attacks.queries.attack`; None: all that are asked about.

    Returns:
      `Queried`: adversarial images, in [0, 1] and in the ball up to the rounding of their type, and (N,) queries
      until success. An image without success is the iterate of largest margin.

    Raises:
      ValueError: images, labels, targets, threat, key or numbers that are not of the above, queries that do not
        suffice for a step, or scores that are malformed or not finite.

    Example:
      >>> from analysis.attacks import Linf
      >>> linear = lambda images: images[:, 0, 0] @ np.array([[1.0, -1.0]], np.float32)
      >>> made = nes(linear, np.full((1, 1, 1, 1), 0.125, np.float32), [0], Linf(0.25), 60, key=jax.random.key(0))
      >>> made.images.item(), made.queries.item()
      (0.0, 52)
    """
    integer("samples", samples, 2)
    if samples % 2:
        raise ValueError(f"samples={samples}: expected an even number, of pairs of opposite directions")
    integer("queries", queries, samples + 2)
    number("sigma", sigma, 0, above=True)
    number("momentum", momentum, 0, 1, below=True)
    if step_size is not None:
        number("step_size", step_size, 0)
    steps = (queries - 1) // (samples + 1)
    size = length_of_step(step_size, radius(threat), steps)

    def plan(_, image, random):
        return climb(image, threat, steps, size, momentum, lambda at: _estimate(at, random, samples // 2, sigma))

    return attack(predict, of_scores, images, labels, targets, batch_size, required(key), plan)


def _estimate(image, random, pairs, sigma):
    directions = random.standard_normal((pairs, *image.shape), dtype=np.float32).astype(image.dtype)
    ahead, behind = np.split(
        (yield np.clip(np.concatenate([image + sigma * directions, image - sigma * directions]), 0, 1)), 2
    )
    return np.tensordot(ahead - behind, directions, 1) / (2 * pairs * sigma)
