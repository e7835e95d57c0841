"""Channels of gradient maps: from (N, H, W, C) to one number a pixel."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from convzoo.checks import choice

Channels = Literal["max", "sum"] | None

CHANNELS: dict[str | None, Callable[[jax.Array], jax.Array]] = {
    "max": lambda maps: jnp.max(jnp.abs(maps), axis=-1),
    "sum": lambda maps: jnp.sum(maps, axis=-1),
    None: lambda maps: maps,
}


def check_channels(channels: Any) -> None:
    """Refuse a reduction of channels that is not known."""
    choice("channels", channels, CHANNELS)


def over_channels(maps: jax.Array, channels: Channels) -> jax.Array:
    """Reduce the channels of gradient maps.

    Args:
      maps: (N, H, W, C), signed.
      channels: `"max"`: the largest absolute value; `"sum"`: signed; None: leave them.

    Returns:
      (N, H, W), or (N, H, W, C) for None.

    Example:
      >>> over_channels(jnp.array([[[[1.0, -3.0]]]]), "max").tolist()
      [[[3.0]]]
    """
    return CHANNELS[channels](maps)
