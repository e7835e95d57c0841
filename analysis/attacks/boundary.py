"""HopSkipJump: along the decision boundary to the nearest adversarial image, with predicted classes alone.

Reference: Chen, Jordan & Wainwright, 2019, arXiv:1904.02144.
"""

import itertools
import math
from collections.abc import Callable, Generator
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from analysis import checks
from analysis.attacks.queries import Plan, Queried, attack, of_labels, required
from convzoo.checks import choice, integer

TRIES = 100
"""Random images to start from, before an image is given up."""

PROBES = 100, 10_000
"""Images of the first estimate of a direction, and the most of any."""


def hop_skip_jump(
    predict_labels: Callable[[np.ndarray], Any],
    images: Any,
    labels: Any,
    norm: Literal["l2", "linf"] = "l2",
    queries: int = 5000,
    key: jax.Array | None = None,
    targets: Any = None,
    starts: Any = None,
    batch_size: int | None = None,
) -> Queried:
    r"""The nearest image of another class that a walk along the decision boundary comes to.

    .. math:: \hat g = \frac{1}{n} \sum_{i=1}^{n} (\phi(x_t + \delta u_i) - \bar\phi)\, u_i, \qquad
              \phi = \pm 1 \text{ where the goal is reached or not}

    From an adversarial image, which random ones of many brightnesses and contrasts are tried for, a binary search
    leads to the boundary. Then each step estimates the boundary's direction from labels around the point, moves along
    it as far as the image stays adversarial, and searches for the boundary again. It assumes that labels are
    deterministic. It needs thousands of queries, and the distance falls slowly with them: it is an upper bound, and
    an image left as it was shows only that no start was adversarial. Give `starts` then, such as images of other
    classes.

    Args:
      predict_labels: (M, H, W, C) NumPy images → (M,) integers, the predicted classes; only called, never traced.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      norm: distance that is made small, `"l2"` or `"linf"`.
      queries: the most images that `predict_labels` is asked about for each, the image itself included.
      key: from `jax.random.key`. Image i uses a NumPy generator seeded from `fold_in(key, i)`, whatever the batch size.
      targets: (N,) classes to be taken for; None: any but the label.
      starts: (N, H, W, C) images to start from, tried before random ones; None: random ones alone.
      batch_size: images of a call, as in `attacks.queries.attack`; None: all that are asked about.

    Returns:
      `Queried`: (N, H, W, C) the nearest adversarial images that were asked about, and (N,) queries. An image that
      reaches the goal already, at one query, and one for which nothing is found are returned as they are.

    Raises:
      ValueError: images, labels, targets, starts, key, norm or numbers that are not of the above, or malformed labels.

    Example:
      >>> linear = lambda images: (images[:, 0, 0, 0] < 0.25).astype(int)
      >>> image = np.full((1, 1, 1, 1), 0.5, np.float32)
      >>> made = hop_skip_jump(linear, image, [0], queries=200, key=jax.random.key(0))
      >>> bool(0.1 < made.images.item() < 0.25), made.queries.item()
      (True, 200)
    """
    choice("norm", norm, GEOMETRIES)
    integer("queries", queries)
    geometry = GEOMETRIES[norm]
    if starts is not None:
        starts = np.asarray(checks.as_images(starts))
        if starts.shape != np.shape(images):
            raise ValueError(f"starts of shape {starts.shape}: expected {np.shape(images)}, one an image")

    def plan(index, image, random):
        start = None if starts is None else starts[index].astype(image.dtype)
        return _nearest(_walk(image, random, geometry, start), image, geometry, queries)

    return attack(predict_labels, of_labels, images, labels, targets, batch_size, required(key), plan)


class Geometry(NamedTuple):
    """The pieces of the walk that differ between norms.

    Attributes:
      length: (..., H, W, C) changes → their (...) lengths.
      mix: (image, adversarial, share) → between them, at this share of the distance.
      draw: (random, shape) → directions of any length.
      direction: an estimated normal of the boundary → the steepest direction of length one.
      precision: of the binary search, as a share of the distance, for so many coordinates.
    """

    length: Callable[[np.ndarray], np.ndarray]
    mix: Callable[[np.ndarray, np.ndarray, float], np.ndarray]
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    direction: Callable[[np.ndarray], np.ndarray]
    precision: Callable[[int], float]


def _euclidean(delta):
    return np.sqrt((delta**2).sum((-3, -2, -1)))


def _largest(delta):
    return np.abs(delta).max((-3, -2, -1))


def _clip_to(image, adversarial, share):
    far = share * _largest(adversarial - image)
    return np.clip(adversarial, image - far, image + far)


GEOMETRIES = {
    "l2": Geometry(
        _euclidean,
        lambda image, adversarial, share: image + np.float32(share) * (adversarial - image),
        lambda random, shape: random.standard_normal(shape),
        lambda normal: normal / max(float(np.linalg.norm(normal)), 1e-12),
        lambda size: min(size**-1.5, 0.01),
    ),
    "linf": Geometry(
        _largest,
        _clip_to,
        lambda random, shape: random.uniform(-1, 1, shape),
        np.sign,
        lambda size: min(size**-2.0, 0.01),
    ),
}
"""By the name of the norm."""


def _nearest(
    walk: Generator[np.ndarray, np.ndarray, None], image: np.ndarray, geometry: Geometry, queries: int
) -> Plan:
    """The nearest adversarial image that a walk asks about, in at most so many queries."""
    best, distance = image, math.inf
    request = next(walk)
    while True:
        request = request[:queries]
        queries -= len(request)
        margins = yield request
        reached = request[margins > 0]
        if len(reached):
            distances = geometry.length(reached - image)
            if distances.min() < distance:
                best, distance = reached[distances.argmin()], distances.min()
        if not queries:
            return best
        try:
            request = walk.send(margins)
        except StopIteration:
            return best


def _walk(image, random, geometry, start):
    if (yield image[None])[0] > 0:
        return
    point = yield from _adversarial(image, random, start)
    if point is None:
        return
    point = yield from _to_boundary(image, point, geometry)
    for step in itertools.count(1):
        far = float(geometry.length(point - image))
        # The paper's: a tenth of the range of pixels, then the precision times sqrt(d) in L2, and times d in Linf.
        radius = 0.1 if step == 1 else far / image.size
        count = min(int(PROBES[0] * math.sqrt(step)), PROBES[1])
        direction = yield from _direction(point, random, geometry, radius, count)
        length = far / math.sqrt(step)
        while True:
            moved = np.clip(point + np.float32(length) * direction, 0, 1)
            if (yield moved[None])[0] > 0:
                break
            length /= 2
        point = yield from _to_boundary(image, moved, geometry)


def _adversarial(image, random, start):
    """The start if it serves, otherwise a random image that does; None after many that do not."""
    if start is not None and (yield start[None])[0] > 0:
        return start
    for _ in range(TRIES):
        low, high = np.sort(random.uniform(0, 1, 2))
        candidate = random.uniform(low, high, image.shape).astype(image.dtype)
        if (yield candidate[None])[0] > 0:
            return candidate
    return None


def _to_boundary(image, adversarial, geometry):
    """The image nearest to `image` that a binary search between the two finds to be adversarial."""
    low, high, point = 0.0, 1.0, adversarial
    while high - low > geometry.precision(image.size):
        middle = (low + high) / 2
        candidate = geometry.mix(image, adversarial, middle).astype(image.dtype)
        if (yield candidate[None])[0] > 0:
            high, point = middle, candidate
        else:
            low = middle
    return point


def _direction(point, random, geometry, radius, count):
    """The boundary's normal at a point, estimated from labels around it."""
    drawn = geometry.draw(random, (count, *point.shape)).astype(point.dtype)
    drawn /= np.maximum(_euclidean(drawn)[:, None, None, None], 1e-12)
    probes = np.clip(point + np.float32(radius) * drawn, 0, 1)
    margins = yield probes
    mean = margins.mean()
    weights = margins if abs(mean) == 1 else margins - mean
    return geometry.direction(np.tensordot(weights, (probes - point) / radius, 1)).astype(point.dtype)
