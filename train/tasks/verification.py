"""Verification (1:1) and recognition (1:N) from similarities: ROC, equal error rate, accuracy at a threshold, top-1.

The similarities of all pairs are one histogram of cosines, for pairs of different and of the same identity. A pair is
accepted where its cosine is at least the threshold; the edges of the bins are the thresholds.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

BINS = 2000
"""Bins of the cosine, from −1 to 1."""

GROUPS = 3
"""Pairs within the identities of even labels, within those of odd labels, and between the two."""


def histogram(cosines: jax.Array, labels: jax.Array, others: jax.Array, counted: jax.Array) -> jax.Array:
    """Count pairs by group, identity and cosine.

    Args:
      cosines: (N, M).
      labels: (N,) integers, of the rows.
      others: (M,) integers, of the columns.
      counted: (N, M) booleans: pairs that count.

    Returns:
      (GROUPS, 2, BINS) int32: group; different, same; bin of the cosine.

    Example:
      >>> counts = histogram(jnp.ones((1, 2)), jnp.array([0]), jnp.array([0, 1]), jnp.ones((1, 2), bool))
      >>> counts.sum(2).tolist()
      [[0, 1], [0, 0], [1, 0]]
    """
    bins = jnp.clip(((cosines + 1) * (BINS / 2)).astype(jnp.int32), 0, BINS - 1)
    same = (labels[:, None] == others[None, :]).astype(jnp.int32)
    one, other = labels[:, None] % 2, others[None, :] % 2
    group = jnp.where(one == other, one, 2).astype(jnp.int32)
    cells = (group * 2 + same) * BINS + bins
    counts = jnp.zeros(GROUPS * 2 * BINS, jnp.int32).at[cells].add(counted.astype(jnp.int32))
    return counts.reshape(GROUPS, 2, BINS)


def accepted(counts: Any) -> Any:
    """Shares of pairs accepted at each threshold, from the lowest to the highest.

    Args:
      counts: (2, BINS) pairs of different and of the same identity, floats.

    Returns:
      (2, BINS): false and true accept rate; 0 where there are no pairs.

    Example:
      >>> accepted(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])).tolist()
      [[1.0, 0.5, 0.0], [1.0, 1.0, 0.5]]
    """
    above = counts[:, ::-1].cumsum(1)[:, ::-1]
    return above / (above[:, :1] + (above[:, :1] == 0).astype(above.dtype))


def accuracy(counts: Any) -> tuple[Any, Any]:
    """Verification accuracy by two-fold cross-validation over identities, and the threshold.

    A threshold is chosen on the pairs of even labels and applied to those of odd labels, and the other way round:
    never to the pairs that it was chosen on. The accuracy is the mean of the shares of the same identity that is
    accepted and of different identities that is refused, so that their numbers do not matter.

    Args:
      counts: (GROUPS, 2, BINS) float32, on the host or on the device.

    Returns:
      Accuracy in [0, 1], and the mean threshold, a cosine.
    """
    rates = [accepted(group) for group in counts[:2]]
    means = [(1 - rate[0] + rate[1]) / 2 for rate in rates]
    best = [mean.argmax() for mean in means]
    reached = (means[0][best[1]] + means[1][best[0]]) / 2
    return reached, (best[0] + best[1]).astype(jnp.float32) / BINS - 1


class Curve(NamedTuple):
    """A receiver operating characteristic.

    Attributes:
      false_accepts: (T,) share of pairs of different identities that is accepted, falling.
      true_accepts: (T,) share of pairs of the same identity that is accepted, falling.
      thresholds: (T,) cosines.
      area: below the curve.
      equal_error: error rate where as many pairs are wrongly accepted as wrongly refused, in shares.
    """

    false_accepts: np.ndarray
    true_accepts: np.ndarray
    thresholds: np.ndarray
    area: float
    equal_error: float


def curve(counts: np.ndarray) -> Curve:
    """The ROC of all pairs, with the equal error rate at its crossing with the line FAR = 1 − TAR.

    The crossing is interpolated linearly between the two neighbouring thresholds (the ISO/IEC 19795 reading; others
    take the mean of the two rates at the threshold where they differ least).

    Args:
      counts: (2, BINS) pairs of different and of the same identity.

    Returns:
      A `Curve`; its first threshold accepts everything, its last nothing.

    Example:
      >>> round(curve(np.array([[2, 1, 0], [0, 1, 2]])).equal_error, 4)
      0.1667
    """
    false, true = np.concatenate([accepted(np.asarray(counts, np.float64)), np.zeros((2, 1))], axis=1)
    excess = false - (1 - true)
    after = int(np.argmax(excess <= 0))
    before = max(after - 1, 0)
    step = excess[before] - excess[after]
    share = excess[before] / step if step > 0 else 0.0
    equal = false[before] + share * (false[after] - false[before])
    area = float(np.sum((false[:-1] - false[1:]) * (true[:-1] + true[1:]) / 2))
    return Curve(false, true, np.linspace(-1, 1, len(false)), area, float(equal))


def top_1(embeddings: np.ndarray, labels: np.ndarray, chunk: int = 1024) -> tuple[float, int]:
    """Recognition of one identity among K: each is enrolled with its first image, the other images are asked for.

    Args:
      embeddings: (N, D) of length 1.
      labels: (N,) integers.
      chunk: images asked for at once.

    Returns:
      The share of images whose nearest enrolled image is of their identity, and K; NaN where no image is left to ask.

    Example:
      >>> top_1(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]), np.array([0, 1, 1]))
      (1.0, 2)
    """
    names, first = np.unique(labels, return_index=True)
    rest = np.setdiff1d(np.arange(len(labels)), first)
    if not len(rest):
        return float("nan"), len(names)
    enrolled, hits = embeddings[first], 0
    for start in range(0, len(rest), chunk):
        rows = rest[start : start + chunk]
        hits += int((names[np.argmax(embeddings[rows] @ enrolled.T, axis=1)] == labels[rows]).sum())
    return hits / len(rest), len(names)
