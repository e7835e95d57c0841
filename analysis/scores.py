"""Scores: the one number of an image that a map explains or a metric follows."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from analysis import checks
from analysis.numerics import at_least_float32, entry_of
from convzoo.checks import choice
from convzoo.moved import moved

Score = Literal["logit", "probability"] | Callable[[jax.Array, jax.Array], jax.Array]

SCORES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "logit": entry_of,
    "probability": lambda logits, labels: entry_of(jax.nn.softmax(logits), labels),
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
      ValueError: a function that does not give one number an image, or the probability of a single logit.

    Example:
      >>> score_of(jnp.zeros((1, 4)), jnp.array([2]), "probability").tolist()
      [0.25]
    """
    if score == "probability":
        checks.several(logits.shape[1])
    scores = (SCORES[score] if isinstance(score, str) else score)(at_least_float32(logits), labels)
    if jnp.shape(scores) != labels.shape:
        raise ValueError(f"the score gave {checks.form(scores)} for {len(labels)} images: expected one number an image")
    return scores


METRICS = (
    *("Curve", "Randomisation", "agreement", "as_maps", "as_masks", "blurred", "completeness", "contrast", "deletion"),
    *("deletion_curve", "infidelity", "insertion", "insertion_curve", "mass_inside", "of_logits", "pointing_game"),
    *("randomisation", "rank_correlation", "sensitivity", "structural_similarity"),
)
"""Names of the metrics of maps, which were here in the version before."""

__getattr__ = moved(__name__, {name: f"analysis.metrics.{name}" for name in METRICS})
