r"""Random affine motions of images, in which masks and positions take part.

A motion is one matrix :math:`M` an example: the new image shows at pixel p what the old one has at
:math:`M (p, 1)^\top`, with p = (row, column) and integers at the centres of pixels. What lies outside is black,
class 0 in a mask.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from train.augment import examples
from train.batches import Batch

Geometry = Literal["none", "mask", "position"]
"""Dependence of a task's targets on place."""

TURN = math.radians(15)
"""Largest rotation to either side."""
ZOOM = 1.25
"""Largest magnification; the least is its inverse."""
AREA = (0.25, 1.0)
"""Share of the image's area that a crop keeps. Inception's is (0.08, 1), too little for an image of few pixels."""
ASPECT = 4 / 3
"""Largest ratio of a crop's sides to those of the image. Reference: Szegedy et al., 2014, arXiv:1409.4842."""


class Motion(NamedTuple):
    """A random motion.

    Attributes:
      draw: `(key, count, (H, W))` to (count, 2, 3) matrices from new places to old ones.
      sample: `(values, matrices, nearest)` to the moved values: (N, H, W, C) images by interpolation, or
        (N, H, W) masks with `nearest`.
    """

    draw: Callable[[jax.Array, int, tuple[int, int]], jax.Array]
    sample: Callable[[Any, jax.Array, bool], jax.Array]


def move(motion: Motion, key: jax.Array, batch: Batch, geometry: Geometry) -> Batch:
    """A batch after a motion of its images, and of its targets where they depend on place."""
    sides = batch.images.shape[1:3]
    matrices = motion.draw(key, len(batch.images), sides)
    batch = batch._replace(images=motion.sample(batch.images, matrices, False))
    if geometry == "mask":
        return batch._replace(targets=motion.sample(batch.targets, matrices, True))
    if geometry == "position":
        return batch._replace(targets=jax.vmap(lambda place, m: position(place, m, sides))(batch.targets, matrices))
    return batch


def position(place: jax.Array, matrix: jax.Array, sides: tuple[int, int]) -> jax.Array:
    """The new place of a point, which may lie outside the image.

    Args:
      place: (2,) row and column as fractions of the sides: the centre of pixel i of n lies at (i + 1/2) / n.
      matrix: (2, 3) of the motion.
      sides: height and width in pixels.

    Returns:
      (2,) in the same unit.

    Example:
      >>> half = jnp.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])  # shows what was two pixels below
      >>> position(jnp.array([0.5, 0.5]), half, (8, 8)).tolist()
      [0.25, 0.5]
    """
    scale = jnp.asarray(sides, jnp.float32)
    (a, b, _), (c, d, _) = matrix
    y, x = place * scale - 0.5 - matrix[:, 2]
    return (jnp.stack([d * y - b * x, a * x - c * y]) / (a * d - b * c) + 0.5) / scale


def interpolate(values: Any, matrices: jax.Array, nearest: bool) -> jax.Array:
    """Values of moved images: bilinear, or those of the nearest pixel; 0 outside.

    Args:
      values: (N, H, W, ...).
      matrices: (N, 2, 3).
      nearest: take the nearest pixel, for classes, which have no mean.

    Returns:
      (N, H, W, ...) of the same type.
    """
    values = jnp.asarray(values)
    height, width = values.shape[1:3]
    rows, columns = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
    new = jnp.stack([rows, columns, jnp.ones_like(rows)]).reshape(3, -1).astype(jnp.float32)

    def at(image, row, column):
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        inside = inside.reshape(-1, *[1] * (image.ndim - 2))
        picked = image[jnp.clip(row, 0, height - 1), jnp.clip(column, 0, width - 1)]
        return jnp.where(inside, picked, jnp.zeros_like(picked))

    def one(image, matrix):
        y, x = matrix @ new
        if nearest:
            return at(image, jnp.round(y).astype(jnp.int32), jnp.round(x).astype(jnp.int32)).reshape(image.shape)
        top, left = jnp.floor(y), jnp.floor(x)
        down, right = (y - top)[:, None], (x - left)[:, None]
        row, column = top.astype(jnp.int32), left.astype(jnp.int32)
        upper = at(image, row, column) * (1 - right) + at(image, row, column + 1) * right
        lower = at(image, row + 1, column) * (1 - right) + at(image, row + 1, column + 1) * right
        return (upper * (1 - down) + lower * down).reshape(image.shape)

    return jax.vmap(one)(values, matrices)


def _translation(offsets: jax.Array) -> jax.Array:
    """Matrices that show what lies (N, 2) rows and columns further down and right."""
    linear = jnp.broadcast_to(jnp.eye(2, dtype=offsets.dtype)[None], (len(offsets), 2, 2))
    return jnp.concatenate([linear, offsets[..., None]], axis=2)


def _reach(sides: tuple[int, int]) -> list[int]:
    """Pixels of an eighth: one of the eight of an original digit, and the four of 32 that are customary for CIFAR."""
    return [max(1, round(side / 8)) for side in sides]


def _draw_shift(key: jax.Array, count: int, sides: tuple[int, int]) -> jax.Array:
    """Shifts by up to an eighth of the sides, in whole pixels."""
    # One key for all, as in the first version: runs with shifts and flips go on bit by bit.
    reach = _reach(sides)
    parts = zip(jax.random.split(key), reach, strict=True)
    corners = jnp.stack([jax.random.randint(part, (count,), 0, 2 * r + 1) - r for part, r in parts], axis=1)
    return _translation(corners.astype(jnp.float32))


def _shift(values: Any, matrices: jax.Array, nearest: bool) -> jax.Array:
    """Values moved by whole pixels, bit by bit the old ones."""
    del nearest
    shape = values.shape[1:]
    reach = _reach(shape[:2])
    padded = jnp.pad(values, ((0, 0), *((r, r) for r in reach), *[(0, 0)] * (values.ndim - 3)))
    corners = matrices[:, :, 2].astype(jnp.int32) + jnp.array([reach], jnp.int32)

    def cut(image, corner):
        return jax.lax.dynamic_slice(image, (*corner, *[jnp.zeros_like(corner[0])] * (image.ndim - 2)), shape)

    return jax.vmap(cut)(padded, corners)


def _draw_flip(key: jax.Array, count: int, sides: tuple[int, int]) -> jax.Array:
    """Mirrors half of the images from left to right."""
    mirrored = jax.random.bernoulli(key, shape=(count, 1, 1, 1)).reshape(count, 1, 1)
    mirror = jnp.array([[1, 0, 0], [0, -1, sides[1] - 1]], jnp.float32)
    return jnp.where(mirrored, mirror[None], jnp.eye(2, 3, dtype=jnp.float32)[None])


def _flip(values: Any, matrices: jax.Array, nearest: bool) -> jax.Array:
    """Values mirrored where the matrix says so, bit by bit the old ones."""
    del nearest
    mirrored = (matrices[:, 1, 1] < 0).reshape(-1, *[1] * (values.ndim - 1))
    return jnp.where(mirrored, values[:, :, ::-1], values)


def _each(one: Callable[[jax.Array, tuple[int, int]], jax.Array]) -> Callable[..., jax.Array]:
    """Matrices of a batch from the function that draws one with the key of its example."""

    def draw(key, count, sides):
        return jax.vmap(lambda own: one(own, sides))(examples.keys(key, count))

    return draw


def _about_centre(linear: jax.Array, sides: tuple[int, int]) -> jax.Array:
    """The (2, 3) matrix of a linear map that keeps the image's centre in its place."""
    centre = (jnp.asarray(sides, jnp.float32) - 1) / 2
    return jnp.concatenate([linear, (centre - linear @ centre)[:, None]], axis=1)


def _rotation(key: jax.Array, sides: tuple[int, int]) -> jax.Array:
    """A rotation about the centre by up to `TURN`."""
    angle = jax.random.uniform(key, minval=-TURN, maxval=TURN)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return _about_centre(jnp.stack([cosine, -sine, sine, cosine]).reshape(2, 2), sides)


def _scaling(key: jax.Array, sides: tuple[int, int]) -> jax.Array:
    """A magnification between 1 / `ZOOM` and `ZOOM`, uniform in its logarithm."""
    limit = math.log(ZOOM)
    return _about_centre(jnp.eye(2) * jnp.exp(jax.random.uniform(key, minval=-limit, maxval=limit)), sides)


def _crop(key: jax.Array, sides: tuple[int, int]) -> jax.Array:
    """A random part of the image at the size of the whole.

    Reference: Szegedy et al., 2014, arXiv:1409.4842.
    """
    area_key, aspect_key, corner_key = jax.random.split(key, 3)
    area = jax.random.uniform(area_key, minval=AREA[0], maxval=AREA[1])
    limit = math.log(ASPECT)
    aspect = jnp.exp(jax.random.uniform(aspect_key, minval=-limit, maxval=limit))
    # Shares of height and width; a part that would be larger than the image is as large.
    shares = jnp.minimum(jnp.sqrt(area * jnp.stack([aspect, 1 / aspect])), 1)
    scale = jnp.asarray(sides, jnp.float32)
    corner = jax.random.uniform(corner_key, (2,)) * (1 - shares) * scale
    return jnp.concatenate([jnp.diag(shares), (corner + shares / 2 - 0.5)[:, None]], axis=1)


MOTIONS = {
    "shift": Motion(_draw_shift, _shift),
    "flip": Motion(_draw_flip, _flip),
    "crop": Motion(_each(_crop), interpolate),
    "rotate": Motion(_each(_rotation), interpolate),
    "scale": Motion(_each(_scaling), interpolate),
}
"""By name, as typed after `--augment`."""
