"""The two reductions that maps share: logits to one score an image, channels to one number a pixel."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from analysis import checks
from analysis.numerics import at_least_float32, entry_of
from convzoo.checks import choice

Score = Literal["logit", "probability"] | Callable[[jax.Array, jax.Array], jax.Array]
Channels = Literal["max", "sum"] | None


SCORES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "logit": entry_of,
    "probability": lambda logits, labels: entry_of(jax.nn.softmax(logits), labels),
}
CHANNELS: dict[str | None, Callable[[jax.Array], jax.Array]] = {
    "max": lambda maps: jnp.max(jnp.abs(maps), axis=-1),
    "sum": lambda maps: jnp.sum(maps, axis=-1),
    None: lambda maps: maps,
}


def check_score(score: Any) -> None:
    """Refuse a score that is neither known nor a function."""
    if not callable(score):
        choice("score", score, SCORES)


def score_of(logits: jax.Array, labels: jax.Array, score: Score) -> jax.Array:
    """One number an image, in at least float32.

    Args:
      logits: (N, classes).
      labels: (N,) int32.
      score: `"logit"`, `"probability"` (after the softmax), or a function of both that gives (N,).

    Returns:
      (N,).

    Raises:
      ValueError: a function that does not give one number an image.

    Example:
      >>> score_of(jnp.zeros((1, 4)), jnp.array([2]), "probability").tolist()
      [0.25]
    """
    scores = (SCORES[score] if isinstance(score, str) else score)(at_least_float32(logits), labels)
    if jnp.shape(scores) != labels.shape:
        raise ValueError(f"the score gave {checks.form(scores)} for {len(labels)} images: expected one number an image")
    return scores


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
