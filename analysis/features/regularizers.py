"""Regularizers: penalties on what natural images have little of, for an image that is being optimised.

A regularizer is a function of images (N, H, W, C) in [0, 1] → (N,) penalties; any such function will do. Those
here are pytrees whose numbers are leaves, so a sweep over weights compiles once.

Reference: Mahendran & Vedaldi, 2014, arXiv:1412.0035.
"""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from convzoo.pytrees import register


def _check(weight: Any, name: str, exponent: Any, above: float) -> None:
    """Only the numbers that a user writes: inside JAX anything can stand in a leaf."""
    if isinstance(weight, int | float) and not 0 <= weight < math.inf:
        raise ValueError(f"weight={weight!r}: expected a finite number of at least 0")
    if isinstance(exponent, int | float) and not above < exponent < math.inf:
        raise ValueError(f"{name}={exponent!r}: expected a finite exponent above {above:g}")


@register
@dataclasses.dataclass(frozen=True)
class TotalVariation:
    r"""Differences of neighbouring pixels, as a mean over pixels and channels.

    .. math:: \frac{w}{hwc} \sum_{ijk} \left[ (x_{i+1,j,k} - x_{ijk})^2 + (x_{i,j+1,k} - x_{ijk})^2 \right]^{\beta / 2}

    A difference across the border of the image counts as zero. β = 1 lets edges be sharp, β = 2 prefers
    gradual change.

    Attributes:
      weight: w, at least 0.
      beta: the exponent β, above 0.

    Raises:
      ValueError: a weight or an exponent that is not of the above.

    Example:
      >>> TotalVariation(1.0, beta=1.0)(jnp.array([[[[0.0], [0.5]], [[0.0], [0.5]]]])).tolist()
      [0.25]
    """

    weight: Any
    beta: Any = 2.0

    def __post_init__(self):
        _check(self.weight, "beta", self.beta, above=0)

    def __call__(self, images: jax.Array) -> jax.Array:
        """(N,) penalties."""
        down = jnp.diff(images, axis=1, append=images[:, -1:])
        right = jnp.diff(images, axis=2, append=images[:, :, -1:])
        squares = down**2 + right**2
        moving = squares > 0  # The root of zero has no gradient.
        lengths = jnp.where(moving, jnp.where(moving, squares, 1) ** (self.beta / 2), 0)
        return self.weight * lengths.mean((1, 2, 3))


@register
@dataclasses.dataclass(frozen=True)
class AlphaNorm:
    r"""Distance of pixels from mid-gray, as a mean over pixels and channels.

    .. math:: \frac{w}{hwc} \sum_{ijk} |2 x_{ijk} - 1|^\alpha

    A large α leaves a pixel free until it comes near black or white; α = 2 is the L2 penalty.

    Attributes:
      weight: w, at least 0.
      alpha: the exponent α, above 1.

    Raises:
      ValueError: a weight or an exponent that is not of the above.

    Example:
      >>> AlphaNorm(1.0, alpha=2.0)(jnp.array([[[[0.5], [1.0]]]])).tolist()
      [0.5]
    """

    weight: Any
    alpha: Any = 6.0

    def __post_init__(self):
        _check(self.weight, "alpha", self.alpha, above=1)

    def __call__(self, images: jax.Array) -> jax.Array:
        """(N,) penalties."""
        return self.weight * (jnp.abs(2 * images - 1) ** self.alpha).mean((1, 2, 3))
