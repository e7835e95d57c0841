"""Normalization, as plain data that a model can carry as a field.

A model's `norm` is one of the frozen dataclasses below. Equal settings are equal
and hash alike, so a jitted function that takes the model as a static argument is
compiled once; each call of the dataclass makes a new, named layer with its own
parameters.
"""

import dataclasses
from typing import Any, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.layers.arithmetic import check_floats, per_axis
from zoo.layers.batch_norm import BatchNormalization, wide


class Norm(Protocol):
    """The type of a model's `norm` field: called inside a module, it adds a layer named `name`."""

    def __call__(
        self, x: jax.Array, *, train: bool, name: str, dtype: Any = None, scale_init: nn.initializers.Initializer = ...
    ) -> jax.Array:
        """Normalize `x`, with statistics of this batch when `train`."""


@dataclasses.dataclass(frozen=True)
class BatchNorm:
    r"""Batch normalization over all axes but the channels.

    .. math:: y = \gamma \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    In training μ and σ² are those of the batch, and the running averages move by
    `average ← momentum · average + (1 − momentum) · batch`; otherwise the running
    averages are used. A `momentum` of 0.9 is what PyTorch calls 0.1.

    Attributes:
      epsilon: added to the variance.
      momentum: share of the running average that is kept, in [0, 1].

    Reference: Ioffe & Szegedy, 2015, arXiv:1502.03167.
    """

    epsilon: float = 1e-5
    momentum: float = 0.9

    def __call__(self, x, *, train, name, dtype=None, scale_init=nn.initializers.ones_init()):
        """Normalize (…, C) features; the variables are `scale`, `bias` and the statistics `mean`, `var`."""
        return BatchNormalization(
            use_running_average=not train,
            momentum=self.momentum,
            epsilon=self.epsilon,
            dtype=dtype,
            scale_init=scale_init,
            name=name,
        )(x)


@dataclasses.dataclass(frozen=True)
class GroupNorm:
    """Normalization over space and a group of channels; the same in training and evaluation.

    Attributes:
      groups: how many groups the channels are cut into; must divide them.
      epsilon: added to the variance.

    Reference: Wu & He, 2018, arXiv:1803.08494.
    """

    groups: int = 32
    epsilon: float = 1e-5

    def __call__(self, x, *, train, name, dtype=None, scale_init=nn.initializers.ones_init()):
        """Normalize (N, …, C) features; the variables are `scale` and `bias`."""
        if x.shape[-1] % self.groups:
            raise ValueError(f"GroupNorm(groups={self.groups}) does not divide the {x.shape[-1]} channels of '{name}'")
        return nn.GroupNorm(
            num_groups=self.groups, epsilon=self.epsilon, dtype=dtype, scale_init=scale_init, name=name
        )(wide(x))


@dataclasses.dataclass(frozen=True)
class LayerNorm:
    """Normalization over the channels of every position.

    Attributes:
      epsilon: added to the variance.

    Reference: Ba et al., 2016, arXiv:1607.06450.
    """

    epsilon: float = 1e-6

    def __call__(self, x, *, train, name, dtype=None, scale_init=nn.initializers.ones_init()):
        """Normalize (…, C) features; the variables are `scale` and `bias`."""
        return nn.LayerNorm(epsilon=self.epsilon, dtype=dtype, scale_init=scale_init, name=name)(wide(x))


@dataclasses.dataclass(frozen=True)
class NoNorm:
    """No normalization: the features pass unchanged, and there are no variables."""

    def __call__(self, x, *, train, name, dtype=None, scale_init=None):
        """Return `x`."""
        return x


class LocalResponseNorm(nn.Module):
    r"""Divide each channel by the energy of its neighbours among the channels; no variables.

    .. math:: y_c = x_c \Big/ \Big(k + \alpha \sum_{|c' - c| \le n / 2} x_{c'}^2 \Big)^\beta

    The formula and the constants are AlexNet's. PyTorch and Caffe divide the sum by n: give their
    alpha divided by n.

    Attributes:
      n: channels that a sum runs over; fewer at the ends.
      k: added to the energy.
      alpha: weight of the energy.
      beta: exponent.

    Example:
      >>> LocalResponseNorm().apply({}, jnp.zeros((1, 4, 4, 8))).shape
      (1, 4, 4, 8)

    Reference: Krizhevsky, Sutskever & Hinton, 2012, section 3.3.
    """

    n: int = 5
    k: float = 2.0
    alpha: float = 1e-4
    beta: float = 0.75

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(..., C) → (..., C)."""
        check_floats("images", x)
        (n,) = per_axis(self.n, 1, "n")
        last = (1,) * (x.ndim - 1)
        padding = ((0, 0),) * (x.ndim - 1) + ((n // 2, (n - 1) // 2),)
        zero = np.zeros((), x.dtype)  # a traced zero hides the sum from automatic differentiation
        energy = lax.reduce_window(jnp.square(x), zero, lax.add, (*last, n), (*last, 1), padding)
        return x * (self.k + self.alpha * energy) ** -self.beta
