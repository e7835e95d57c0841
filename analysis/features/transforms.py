"""Small random changes of view: what excites a unit under all of them is a feature, not a coincidence of pixels.

A transform is a pure function (key, image) → image of the same shape, differentiable in the image; any such
function will do. Each takes one (H, W, C) image; `jax.vmap` gives a batch.

Reference: Olah, Mordvintsev & Schubert, 2017, doi:10.23915/distill.00007.
"""

import dataclasses
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from analysis import checks
from convzoo.checks import integer

Transform = Callable[[jax.Array, jax.Array], jax.Array]


@dataclasses.dataclass(frozen=True)
class Jitter:
    """A shift by whole pixels: Lucid's padding by half of `pixels` on each side, and its random crop.

    Attributes:
      pixels: number of places in each direction, less one.
      fill: what comes in from outside.

    Raises:
      ValueError: pixels that are not a positive integer.

    Example:
      >>> Jitter(2)(jax.random.key(0), jnp.ones((4, 4, 1))).shape
      (4, 4, 1)
    """

    pixels: int
    fill: float = 0.5

    def __post_init__(self):
        integer("pixels", self.pixels)

    def __call__(self, key: jax.Array, image: jax.Array) -> jax.Array:
        """A shifted image."""
        before = self.pixels // 2
        margin = (before, self.pixels - before)
        padded = jnp.pad(image, (margin, margin, (0, 0)), constant_values=self.fill)
        top, left = jax.random.randint(key, (2,), 0, self.pixels + 1)
        return jax.lax.dynamic_slice(padded, (top, left, jnp.zeros_like(top)), image.shape)


@dataclasses.dataclass(frozen=True)
class Rotate:
    """A rotation about the centre, bilinear, uniform between ±`degrees`.

    Attributes:
      degrees: the largest angle.
      fill: what comes in from outside.

    Example:
      >>> Rotate(10)(jax.random.key(0), jnp.ones((4, 4, 1))).shape
      (4, 4, 1)
    """

    degrees: float
    fill: float = 0.5

    def __call__(self, key: jax.Array, image: jax.Array) -> jax.Array:
        """A rotated image."""
        angle = jnp.deg2rad(jax.random.uniform(key, (), image.dtype, -self.degrees, self.degrees))
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        return resample(image, jnp.array([[cos, -sin], [sin, cos]]), self.fill)


@dataclasses.dataclass(frozen=True)
class Scale:
    """A change of size about the centre, bilinear, by a factor uniform between `low` and `high`.

    Attributes:
      low, high: the range of the factor; above 1 the image grows beyond its frame.
      fill: what comes in from outside.

    Raises:
      ValueError: not 0 < low ≤ high.

    Example:
      >>> Scale(0.9, 1.1)(jax.random.key(0), jnp.ones((4, 4, 1))).shape
      (4, 4, 1)
    """

    low: float
    high: float
    fill: float = 0.5

    def __post_init__(self):
        if not 0 < self.low <= self.high:
            raise ValueError(f"Scale({self.low!r}, {self.high!r}): expected 0 < low ≤ high")

    def __call__(self, key: jax.Array, image: jax.Array) -> jax.Array:
        """A larger or smaller image in the same frame."""
        factor = jax.random.uniform(key, (), image.dtype, self.low, self.high)
        return resample(image, jnp.eye(2, dtype=image.dtype) / factor, self.fill)


def resample(image: jax.Array, matrix: jax.Array, fill: float = 0.5) -> jax.Array:
    """The image whose pixel at p is the given image's, bilinear, at `matrix` · p, both from the centre.

    Args:
      image: (H, W, C) floats.
      matrix: (2, 2), of rows and columns.
      fill: the value outside.

    Returns:
      (H, W, C).

    Example:
      >>> turned = resample(jnp.array([[[1.0], [2.0]], [[3.0], [4.0]]]), jnp.array([[0.0, -1.0], [1.0, 0.0]]))
      >>> turned[..., 0].tolist()
      [[3.0, 1.0], [4.0, 2.0]]
    """
    center = (jnp.array(image.shape[:2], image.dtype) - 1).reshape(2, 1, 1) / 2
    grid = jnp.stack(jnp.indices(image.shape[:2])).astype(image.dtype) - center
    places = jnp.einsum("ij,jhw->ihw", matrix.astype(image.dtype), grid, precision="highest") + center

    def plane(values):
        return map_coordinates(values, [*places], order=1, mode="constant", cval=fill)

    return jax.vmap(plane, in_axes=-1, out_axes=-1)(image)


def robust(height: int, width: int) -> tuple[Transform, ...]:
    """Lucid's transforms, with shifts in proportion to the image: jitter, scale, rotation, jitter again.

    Example:
      >>> [transform.pixels for transform in robust(128, 128) if isinstance(transform, Jitter)]
      [8, 4]
    """
    side = min(height, width)
    return Jitter(max(1, side // 16)), Scale(0.9, 1.1), Rotate(10.0), Jitter(max(1, side // 32))


def apply(transforms: Sequence[Transform], keys: jax.Array, images: jax.Array) -> jax.Array:
    """Each image through all transforms, drawn from its own key.

    Args:
      transforms: in their order.
      keys: (N,) keys.
      images: (N, H, W, C).

    Returns:
      (N, H, W, C).

    Raises:
      ValueError: a transform that changes shape or type.
    """
    for index, transform in enumerate(transforms):
        folded = jax.vmap(jax.random.fold_in, (0, None))(keys, index)
        changed = jax.vmap(transform)(folded, images)
        if checks.form(changed) != checks.form(images):
            raise ValueError(f"{transform!r} gave {checks.form(changed)}: expected {checks.form(images)}")
        images = changed
    return images
