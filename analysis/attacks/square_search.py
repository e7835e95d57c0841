"""Square attack: random search over squares that change at once, with scores alone.

Reference: Andriushchenko, Croce, Flammarion & Hein, 2019, arXiv:1912.00049.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from analysis.attacks.queries import Plan, Queried, attack, of_scores, radius, required
from analysis.attacks.threat import L2, Linf, Threat
from convzoo.checks import integer, number

TINY = 1e-12

HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)
"""Steps of ten thousand after which the share of pixels in a square is halved."""


def square(
    predict: Callable[[np.ndarray], Any],
    images: Any,
    labels: Any,
    threat: Threat,
    queries: int = 5000,
    key: jax.Array | None = None,
    targets: Any = None,
    batch_size: int | None = None,
    share: float = 0.8,
) -> Queried:
    r"""Random squares at the limit of the ball, of which those are kept that improve the margin.

    .. math:: m(x) = \max_{k \ne y} f_k(x) - f_y(x), \qquad
              x_{t+1} = \begin{cases} x' & m(x') > m(x_t) \\ x_t & \text{otherwise} \end{cases}

    The search starts at vertical stripes (Linf) or at a grid of bumps (L2). A step changes one square by ±2ε (Linf),
    or moves the change of one square to another (L2). Squares shrink as the paper's schedule says, stretched to
    `queries`. It assumes that scores are deterministic and not masked: where they are quantized, no step may improve
    them. No gradient is needed, so a failure after a gradient attack's success is no sign of robustness, while a
    success after a gradient attack's failure shows that gradients are masked. A failure shows that so many random
    steps found nothing, no more.

    Args:
      predict: (M, H, W, C) NumPy images → (M, classes) logits or probabilities; only called, never traced.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      threat: `attacks.Linf(eps)` or `attacks.L2(eps)`; eps 0 gives the images back.
      queries: the most images that `predict` is asked about for each, the image itself included; an image that
        reaches the goal asks no more.
      key: from `jax.random.key`. Image i uses a NumPy generator seeded from `fold_in(key, i)`, whatever the batch size.
      targets: (N,) classes to be taken for; None: any but the label.
      batch_size: images of a call, as in `attacks.queries.attack`; None: all that are unfinished.
      share: share of an image's pixels in the first squares, above 0 and at most 1.

    Returns:
      `Queried`: adversarial images, in [0, 1] and in the ball up to the rounding of their type, and (N,) queries
      until success. An image without success is the one of largest margin.

    Raises:
      ValueError: images, labels, targets, threat, key or numbers that are not of the above, or scores that are
        malformed or not finite.

    Example:
      >>> from analysis.attacks import Linf
      >>> linear = lambda images: images[:, 0, 0] @ np.array([[1.0, -1.0]], np.float32)
      >>> made = square(linear, np.full((1, 2, 2, 1), 0.125, np.float32), [0], Linf(0.25), key=jax.random.key(0))
      >>> linear(made.images).argmax(), made.queries.tolist()
      (np.int64(0), [5000])
    """
    integer("queries", queries)
    number("share", share, 0, 1, above=True)
    eps = radius(threat)
    if type(threat) not in MOVES:
        raise ValueError(f"threat={threat!r}: expected attacks.Linf or attacks.L2, for which squares are defined")
    moves = MOVES[type(threat)]

    def plan(_, image, random):
        return _search(image, random, moves, eps, queries, share)

    return attack(predict, of_scores, images, labels, targets, batch_size, required(key), plan)


class Moves(NamedTuple):
    """The moves of a threat.

    Attributes:
      start: (image, random, eps) → the first image to try.
      step: (current, image, random, eps, side of the square) → the next.
      side: the side of a square of so many pixels, before it is fitted to the image.
    """

    start: Callable[..., np.ndarray]
    step: Callable[..., np.ndarray]
    side: Callable[[float], int]


def _search(image, random, moves: Moves, eps: float, queries: int, share: float) -> Plan:
    clean = margin = (yield image[None])[0]
    if clean > 0 or queries == 1:
        return image
    best = moves.start(image, random, eps)
    margin = (yield best[None])[0]
    height, width = image.shape[:2]
    for number_of_step in range(queries - 2):
        if margin > 0:
            break
        halvings = np.searchsorted(HALVINGS, number_of_step * 10_000 // queries)
        side = min(moves.side(share / 2**halvings * height * width), height, width)
        candidate = moves.step(best, image, random, eps, side)
        result = (yield candidate[None])[0]
        if result > margin:
            best, margin = candidate, result
    return best if margin > clean else image


def _stripes(image, random, eps):
    """Vertical stripes, one pixel wide, at ±eps."""
    return np.clip(image + eps * _signs(random, (1, *image.shape[1:]), image.dtype), 0, 1)


def _flip_square(current, image, random, eps, side):
    """One square moved by ±2 eps in each channel, and brought back into the ball."""
    place, result = _window(random, image.shape, side), current.copy()
    moved = current[place] + 2 * eps * _signs(random, image.shape[2], image.dtype)
    result[place] = np.clip(np.clip(moved, image[place] - eps, image[place] + eps), 0, 1)
    return result


def _bumps(image, random, eps):
    """A grid of five by five bumps, of length eps together."""
    height, width, channels = image.shape
    side = max(height // 5, 1)
    delta = np.zeros_like(image)
    first = (height - 5 * side) // 2 if height >= 5 else 0
    for top in range(first, height - side + 1, side):
        for left in range(first, width - side + 1, side):
            delta[top : top + side, left : left + side] = _signed_bump(random, side, channels, image.dtype)
    return _scaled(delta, image, eps)


def _move_mass(current, image, random, eps, side):
    """The change of one square taken away, and its length added as a bump to another, channel by channel."""
    delta = current - image
    channels = image.shape[2]
    place, emptied = _window(random, image.shape, side), _window(random, image.shape, side)
    windows = np.zeros_like(delta)
    windows[place], windows[emptied] = delta[place], delta[emptied]
    unused = max(eps**2 - float((delta**2).sum()), 0.0)
    bump = _signed_bump(random, side, channels, image.dtype) + delta[place] / (_length(delta[place]) + TINY)
    bump *= np.sqrt(unused / channels + _length(windows) ** 2) / (_length(bump) + TINY)
    delta[emptied] = 0
    delta[place] = bump
    return _scaled(delta, image, eps)


def _signed_bump(random, side, channels, dtype):
    bump = _bump(side)
    turned = bump.T if random.integers(2) else bump
    return turned[..., None].astype(dtype) * _signs(random, channels, dtype)


@functools.cache
def _bump(side: int) -> np.ndarray:
    """(side, side) of length one: a pyramid upwards beside one downwards."""
    if side == 1:
        return np.ones((1, 1))
    bump = np.concatenate([_pyramid(side // 2, side), -_pyramid(side - side // 2, side)])
    return bump / np.linalg.norm(bump)


def _pyramid(height: int, width: int) -> np.ndarray:
    """Sums of rectangles that grow from the centre, each of less height."""
    pyramid = np.zeros((height, width))
    middle = height // 2, width // 2
    for ring in range(max(middle) + 1):
        rows, columns = (slice(max(at - ring, 0), at + ring + 1) for at in middle)
        pyramid[rows, columns] += 1 / (ring + 1) ** 2
    return pyramid / np.linalg.norm(pyramid)


def _scaled(delta, image, eps):
    """A change brought to length eps, and the image to [0, 1]."""
    return np.clip(image + delta * (eps / max(float(np.linalg.norm(delta)), TINY)), 0, 1)


def _length(delta):
    """The Euclidean length of each channel."""
    return np.sqrt((delta**2).sum((0, 1)))


def _window(random, shape, side):
    top, left = random.integers(0, (shape[0] - side + 1, shape[1] - side + 1))
    return slice(top, top + side), slice(left, left + side)


def _signs(random, shape, dtype):
    return (2 * random.integers(0, 2, shape) - 1).astype(dtype)


MOVES: dict[type[Threat], Moves] = {
    Linf: Moves(_stripes, _flip_square, lambda pixels: max(round(math.sqrt(pixels)), 1)),
    L2: Moves(_bumps, _move_mass, lambda pixels: max(round(math.sqrt(pixels)), 3) // 2 * 2 + 1),
}
"""By the type of the threat."""
