"""Threat models: the balls an attack may move in, as separate small pure pieces.

Each piece takes one image's worth of numbers, of any shape; `jax.vmap` gives a batch. A threat is a
pytree whose radius is a leaf, so a sweep over radii compiles once.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis.numerics import at_least_float32
from convzoo.pytrees import register

BISECTIONS = 40  # leave no more than rounding of a level in float32, unless it is tiny beside the highest


@dataclasses.dataclass(frozen=True)
class Threat:
    """A ball of radius `eps` around an image in some norm.

    Write another norm by filling in the four methods below, as a frozen dataclass under `convzoo.pytrees.register`.

    Attributes:
      eps: the radius, for pixels in [0, 1]; not negative.

    Raises:
      ValueError: a radius that is negative, not finite or not a real number.
    """

    eps: Any

    def __post_init__(self):
        # JAX unflattens to others.
        numeric = isinstance(self.eps, int | float | complex | str | bytes | np.generic | np.ndarray | jax.Array)
        if numeric and not isinstance(self.eps, jax.core.Tracer):
            radii = np.asarray(self.eps)
            real = any(jnp.issubdtype(radii.dtype, kind) for kind in (jnp.floating, jnp.integer))
            if not (real and np.isfinite(radii).all() and (radii >= 0).all()):
                raise ValueError(
                    f"{type(self).__name__}({self.eps!r}): expected a non-negative radius for pixels in [0, 1], "
                    "such as 8 / 255"
                )

    def norm(self, delta: jax.Array) -> jax.Array:
        """The length of a perturbation: a scalar."""
        raise NotImplementedError

    def project(self, delta: jax.Array) -> jax.Array:
        """The nearest perturbation inside the ball."""
        raise NotImplementedError

    def ascend(self, gradient: jax.Array) -> jax.Array:
        """The direction of length one along which a linear function grows most; zero for a zero gradient."""
        raise NotImplementedError

    def random_start(self, key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """A perturbation drawn uniformly from the ball."""
        raise NotImplementedError

    def nearest_image(self, image: jax.Array, centre: jax.Array) -> jax.Array:
        """An image brought into the ball around `centre` and into [0, 1]; here one after the other.

        Clipping to [0, 1] comes last: it only brings an image nearer to a centre that lies in [0, 1].
        """
        return jnp.clip(centre + self.project(image - centre), 0, 1)

    def dual_norm(self, gradient: jax.Array) -> jax.Array:
        """The gain of a linear function along its steepest direction, in at least float32: a scalar."""
        gradient = at_least_float32(gradient)
        return jnp.sum(gradient * self.ascend(gradient))


@register
@dataclasses.dataclass(frozen=True)
class Linf(Threat):
    """Every value of a pixel may change by at most `eps`.

    Example:
      >>> Linf(0.25).project(jnp.array([0.5, -0.125])).tolist()
      [0.25, -0.125]
    """

    def norm(self, delta: jax.Array) -> jax.Array:
        """The largest absolute value."""
        return jnp.max(jnp.abs(delta))

    def project(self, delta: jax.Array) -> jax.Array:
        """Clip each value to ±eps."""
        eps = jnp.asarray(self.eps, delta.dtype)
        return jnp.clip(delta, -eps, eps)

    def ascend(self, gradient: jax.Array) -> jax.Array:
        """The sign of each value."""
        return jnp.sign(gradient)

    def random_start(self, key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Each value uniform in ±eps."""
        return jax.random.uniform(key, shape, dtype, -1, 1) * jnp.asarray(self.eps, dtype)


@register
@dataclasses.dataclass(frozen=True)
class L2(Threat):
    """The change may have a Euclidean length of at most `eps`.

    Example:
      >>> L2(2.5).project(jnp.array([3.0, 4.0])).tolist()
      [1.5, 2.0]
    """

    def norm(self, delta: jax.Array) -> jax.Array:
        """The Euclidean length."""
        direction, peak = _by_peak(delta)
        return peak * jnp.sqrt(jnp.sum(direction**2))

    def project(self, delta: jax.Array) -> jax.Array:
        """Shorten to eps what is longer."""
        eps, length = jnp.asarray(self.eps, delta.dtype), self.norm(delta)
        outside = length > eps
        return delta * jnp.where(outside, eps / jnp.where(outside, length, 1), 1)

    def nearest_image(self, image: jax.Array, centre: jax.Array) -> jax.Array:
        """The nearest image of both the ball and [0, 1], exactly: pixels at a limit leave their length to others."""
        delta, room = _with_room(image, centre)
        size, eps = jnp.abs(delta), jnp.asarray(self.eps, delta.dtype)
        inside = jnp.sum(jnp.minimum(size, room) ** 2) <= eps**2
        scale = falling_root(lambda scale: eps**2 - jnp.sum(jnp.minimum(scale * size, room) ** 2), jnp.ones_like(eps))
        scale = jnp.where(inside, 1, jnp.where(eps > 0, scale, 0))
        return _moved(centre, jnp.sign(delta) * jnp.minimum(scale * size, room))

    def ascend(self, gradient: jax.Array) -> jax.Array:
        """The gradient at length one."""
        direction, _ = _by_peak(gradient)
        return direction / jnp.maximum(jnp.sqrt(jnp.sum(direction**2)), 1)  # at least 1, except for zero

    def random_start(self, key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """A uniform direction, and the length that fills the ball evenly."""
        towards, far = jax.random.split(key)
        direction = self.ascend(jax.random.normal(towards, shape, dtype))
        share = jax.random.uniform(far, (), dtype) ** (1 / direction.size)
        return direction * share * jnp.asarray(self.eps, dtype)


@register
@dataclasses.dataclass(frozen=True)
class L1(Threat):
    """The absolute changes may add up to at most `eps`.

    Example:
      >>> L1(3.0).project(jnp.array([4.0, 0.5, 0.5])).tolist()
      [3.0, 0.0, 0.0]
    """

    def norm(self, delta: jax.Array) -> jax.Array:
        """The sum of the absolute values."""
        return jnp.sum(jnp.abs(at_least_float32(delta))).astype(delta.dtype)

    def project(self, delta: jax.Array) -> jax.Array:
        """Take the same amount off each absolute value, down to zero: soft thresholding."""
        wide = at_least_float32(delta)
        return self._shrink(wide, jnp.full(wide.shape, np.inf, wide.dtype)).astype(delta.dtype)

    def nearest_image(self, image: jax.Array, centre: jax.Array) -> jax.Array:
        """The nearest image of both the ball and [0, 1], exactly: what a limit holds back is left to other pixels."""
        delta, room = _with_room(image, centre)
        return _moved(centre, self._shrink(delta, room))

    def _shrink(self, delta, room):
        """Absolute values less one threshold, within [0, room], so that they add up to eps or less."""
        size, eps = jnp.abs(delta), jnp.asarray(self.eps, delta.dtype)
        inside = jnp.sum(jnp.minimum(size, room)) <= eps
        threshold = falling_root(lambda level: jnp.sum(jnp.clip(size - level, 0, room)) - eps, jnp.max(size))
        return jnp.sign(delta) * jnp.clip(size - jnp.where(inside, 0, threshold), 0, room)

    def ascend(self, gradient: jax.Array) -> jax.Array:
        """Equal steps along the percent of the values where the gradient is largest, at least one.

        The steepest direction is a single value, which would need as many steps as there are values to change.
        """
        return self.ascend_along(gradient, 0.01)

    def ascend_along(self, gradient: jax.Array, share: jax.Array | float) -> jax.Array:
        """Equal steps along a share of the values, those where the gradient is largest, at least one."""
        size = jnp.abs(gradient)
        count = jnp.maximum(jnp.floor(jnp.asarray(share, jnp.float32) * size.size + 1e-3), 1).astype(jnp.int32)
        chosen = (size >= jnp.sort(size, axis=None)[size.size - count]) & (size > 0)
        return jnp.where(chosen, jnp.sign(gradient) / jnp.maximum(jnp.sum(chosen), 1).astype(gradient.dtype), 0)

    def dual_norm(self, gradient: jax.Array) -> jax.Array:
        """The largest absolute value."""
        return jnp.max(jnp.abs(at_least_float32(gradient)))

    def random_start(self, key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
        """Laplace draws over their sum and one exponential draw more, which are uniform in the ball."""
        values, rest = jax.random.split(key)
        draws = jax.random.laplace(values, shape)
        total = jnp.sum(jnp.abs(draws)) + jax.random.exponential(rest)
        return (draws / total * jnp.asarray(self.eps, draws.dtype)).astype(dtype)


NORMS: dict[str, type[Threat]] = {"linf": Linf, "l2": L2, "l1": L1}
"""The balls by the name of their norm, for attacks that look for the nearest image."""


def falling_root(function: Callable[[jax.Array], jax.Array], high: jax.Array) -> jax.Array:
    """The least level in [0, high] where a falling function is not positive, by bisection to the last bit of float32.

    Args:
      function: a scalar level → a scalar, never rising.
      high: scalar, where it is not positive.

    Returns:
      The level: a scalar.

    Example:
      >>> falling_root(lambda level: 3 - level, jnp.float32(8)).item()
      3.0
    """

    def halve(_, bounds):
        low, high = bounds
        middle = low + (high - low) / 2
        above = function(middle) > 0
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    return jax.lax.fori_loop(0, BISECTIONS, halve, (jnp.zeros_like(high), high))[1]


def _with_room(image, centre):
    """The change from a centre to an image, and how far each value can move that way in [0, 1]."""
    image, centre = at_least_float32(image), at_least_float32(centre)
    delta = image - centre
    return delta, jnp.where(delta > 0, 1 - centre, centre)


def _moved(centre, delta):
    return jnp.clip(centre + delta.astype(centre.dtype), 0, 1)


def _by_peak(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Values over their largest absolute value, and that value: squares of neither tiny nor huge ones are lost."""
    peak = jnp.max(jnp.abs(values))
    return values / jnp.where(peak > 0, peak, 1), peak
