"""Threat models: the balls an attack may move in, as separate small pure pieces.

Each piece takes one image's worth of numbers, of any shape; `jax.vmap` gives a batch. A threat is a
pytree whose radius is a leaf, so a sweep over radii compiles once.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Threat:
    """A ball of radius `eps` around an image in some norm; write another norm by filling in the four methods.

    Attributes:
      eps: the radius, for pixels in [0, 1]; not negative.

    Raises:
      ValueError: a radius that is negative or not finite.
    """

    eps: Any

    def __post_init__(self):
        numeric = isinstance(self.eps, int | float | np.number | np.ndarray | jax.Array)  # JAX unflattens to others
        if numeric and not isinstance(self.eps, jax.core.Tracer):
            radii = np.asarray(self.eps)
            if not (np.isfinite(radii).all() and (radii >= 0).all()):
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


@jax.tree_util.register_dataclass
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


@jax.tree_util.register_dataclass
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


def _by_peak(values: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Values over their largest absolute value, and that value: squares of neither tiny nor huge ones are lost."""
    peak = jnp.max(jnp.abs(values))
    return values / jnp.where(peak > 0, peak, 1), peak
