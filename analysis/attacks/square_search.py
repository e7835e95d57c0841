"""Square attack: random search over squares that change at once, with scores alone.

Reference: Andriushchenko, Croce, Flammarion & Hein, 2019, arXiv:1912.00049.
"""

import bisect
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from analysis.attacks.queries import Plan, Queried, attack, of_scores, radius, required
from analysis.attacks.threat import L2, Linf, Threat
from convzoo.checks import integer, number

TINY = 1e-12
BLOCK = 64

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
      >>> linear = lambda images: (images.mean((1, 2)) - 0.5) @ np.array([[1.0, -1.0]], np.float32)
      >>> made = square(linear, np.full((1, 4, 4, 1), 0.625, np.float32), [0], Linf(0.25), key=jax.random.key(0))
      >>> linear(made.images).argmax(1).tolist(), made.queries.tolist()
      ([1], [5])
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
      step: (current, image, numbers in [0, 1), eps, side of the square) → the next.
      numbers: how many numbers a step takes, for so many channels.
      side: the side of a square of so many pixels, before it is fitted to the image.
    """

    start: Callable[..., np.ndarray]
    step: Callable[..., np.ndarray]
    numbers: Callable[[int], int]
    side: Callable[[float], int]


def _search(image, random, moves: Moves, eps: float, queries: int, share: float) -> Plan:
    clean = margin = (yield image[None])[0]
    if clean > 0 or queries == 1:
        return image
    best = moves.start(image, random, eps)
    margin = (yield best[None])[0]
    height, width, channels = image.shape
    drawn = _numbers(random, moves.numbers(channels))
    for step in range(queries - 2):
        if margin > 0:
            break
        halvings = bisect.bisect_left(HALVINGS, step * 10_000 // queries)
        side = min(moves.side(share / 2**halvings * height * width), height, width)
        candidate = moves.step(best, image, next(drawn), eps, side)
        result = (yield candidate[None])[0]
        if result > margin:
            best, margin = candidate, result
    return best if margin > clean else image


def _numbers(random: np.random.Generator, count: int) -> Iterator[np.ndarray]:
    """Rows of numbers in [0, 1); drawn by the block, because each call of a generator costs as much as a step."""
    while True:
        yield from random.random((BLOCK, count), np.float32)


def _stripes(image, random, eps):
    """Vertical stripes, one pixel wide, at ±eps."""
    return (image + eps * _signs(random.random((1, *image.shape[1:]), np.float32))).clip(0, 1)


def _flip_square(current, image, numbers, eps, side):
    """One square moved by ±2 eps in each channel, and brought back into the ball."""
    place, result = _window(numbers[:2], image.shape, side), current.copy()
    before = image[place]
    moved = current[place] + 2 * eps * _signs(numbers[2:])
    result[place] = moved.clip(before - eps, before + eps).clip(0, 1)
    return result


def _bumps(image, random, eps):
    """A grid of five by five bumps, of length eps together."""
    height, width, channels = image.shape
    side = max(height // 5, 1)
    delta = np.zeros_like(image)
    first = (height - 5 * side) // 2 if height >= 5 else 0
    for top in range(first, height - side + 1, side):
        for left in range(first, width - side + 1, side):
            bump = _signed_bump(random.random(1 + channels, np.float32), side)
            delta[top : top + side, left : left + side] = bump
    return _scaled(delta, image, eps)


def _move_mass(current, image, numbers, eps, side):
    """The change of one square taken away, and its length added as a bump to another, channel by channel."""
    delta = current - image
    place, emptied = (_window(two, image.shape, side) for two in (numbers[:2], numbers[2:4]))
    windows = np.zeros_like(delta)
    windows[place], windows[emptied] = delta[place], delta[emptied]
    unused = max(eps**2 - float(np.vdot(delta, delta)), 0.0)
    bump = _signed_bump(numbers[4:], side) + delta[place] / (np.sqrt(_squares(delta[place])) + TINY)
    bump *= np.sqrt((unused / image.shape[2] + _squares(windows)) / (_squares(bump) + TINY))
    delta[emptied] = 0
    delta[place] = bump
    return _scaled(delta, image, eps)


def _signed_bump(numbers, side):
    """(side, side, C) of length one in each channel, turned or not by the first number, signed by the others."""
    bump = _bump(side)
    return (bump.T if numbers[0] < 0.5 else bump)[..., None] * _signs(numbers[1:])


@functools.cache
def _bump(side: int) -> np.ndarray:
    """(side, side) of length one: a pyramid upwards beside one downwards."""
    if side == 1:
        return np.ones((1, 1), np.float32)
    bump = np.concatenate([_pyramid(side // 2, side), -_pyramid(side - side // 2, side)])
    return (bump / np.linalg.norm(bump)).astype(np.float32)


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
    return (image + delta * (eps / max(math.sqrt(np.vdot(delta, delta)), TINY))).clip(0, 1)


def _squares(delta):
    """The squared length of each channel: (C,)."""
    return np.einsum("hwc,hwc->c", delta, delta)


def _window(numbers, shape, side):
    top, left = (int(share * (size - side + 1)) for share, size in zip(numbers.tolist(), shape, strict=False))
    return slice(top, top + side), slice(left, left + side)


def _signs(numbers):
    return np.copysign(np.float32(1), numbers - np.float32(0.5))


MOVES: dict[type[Threat], Moves] = {
    Linf: Moves(
        _stripes,
        _flip_square,
        lambda channels: 2 + channels,
        lambda pixels: max(round(math.sqrt(pixels)), 1),
    ),
    L2: Moves(
        _bumps,
        _move_mass,
        lambda channels: 5 + channels,
        lambda pixels: max(round(math.sqrt(pixels)), 3) // 2 * 2 + 1,
    ),
}
"""By the type of the threat."""
