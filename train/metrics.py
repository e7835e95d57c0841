"""Figures of a classification, all from one confusion matrix and one sum of losses that stay on the device."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Metrics(NamedTuple):
    """What is added up over the images of an epoch.

    Attributes:
      confusion: (K, K) int32 counts; row: the label, column: the prediction.
      loss: () float32, the sum of the images' cross-entropies.
    """

    confusion: jax.Array
    loss: jax.Array


def empty(classes: int) -> Metrics:
    """Metrics of no images."""
    return Metrics(jnp.zeros((classes, classes), jnp.int32), jnp.zeros((), jnp.float32))


def update(metrics: Metrics, logits: jax.Array, labels: jax.Array, losses: jax.Array, weights: jax.Array) -> Metrics:
    """Add a batch.

    Args:
      metrics: so far.
      logits: (B, K).
      labels: (B,) int32.
      losses: (B,) cross-entropies.
      weights: (B,) 1, or 0 for an image that does not count.

    Returns:
      The new `Metrics`.
    """
    predictions = jnp.argmax(logits, axis=-1)
    confusion = metrics.confusion.at[labels, predictions].add(weights.astype(jnp.int32))
    return Metrics(confusion, metrics.loss + jnp.sum(losses * weights))


def per_class(confusion: np.ndarray) -> dict[str, np.ndarray]:
    r"""Precision, recall and F1 of each class.

    .. math:: P_k = \frac{c_{kk}}{\sum_j c_{jk}}, \quad R_k = \frac{c_{kk}}{\sum_j c_{kj}}, \quad
              F_k = \frac{2 c_{kk}}{\sum_j c_{jk} + \sum_j c_{kj}}

    Where nothing was predicted or nothing was there, 0/0 counts as 0.

    Args:
      confusion: (K, K) counts; row: the label, column: the prediction.

    Returns:
      `precision`, `recall` and `f1`, each (K,).

    Example:
      >>> per_class(np.array([[3, 1], [0, 4]]))["precision"].tolist()
      [1.0, 0.8]
    """
    counts = np.asarray(confusion, np.float64)
    hits, predicted, present = np.diag(counts), counts.sum(axis=0), counts.sum(axis=1)
    ratio = lambda part, whole: np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)  # noqa: E731
    return {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, present),
        "f1": ratio(2 * hits, predicted + present),
    }


def summarize(metrics: Metrics) -> dict[str, float]:
    """The figures of an epoch: means over images for loss and accuracy, over classes ("macro") for the rest.

    Returns:
      `loss`, `accuracy`, `precision`, `recall` and `f1`; all but the loss in [0, 1].

    Raises:
      ValueError: there were no images.
    """
    confusion = np.asarray(metrics.confusion, np.float64)
    count = confusion.sum()
    if not count:
        raise ValueError("metrics of no images: add a batch first")
    macro = {name: float(values.mean()) for name, values in per_class(confusion).items()}
    return {"loss": float(metrics.loss) / float(count), "accuracy": float(np.trace(confusion) / count)} | macro
