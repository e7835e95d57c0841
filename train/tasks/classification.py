"""Classification: cross-entropy, and figures from one confusion matrix that stays on the device."""

import dataclasses
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from train.datasets.description import Data
from train.tasks.task import Column, Defaults


class Metrics(NamedTuple):
    """Sums over the images of an epoch.

    Attributes:
      confusion: (K, K) int32 counts; row: the label, column: the prediction.
      loss: () float32, the sum of the images' cross-entropies.
    """

    confusion: jax.Array
    loss: jax.Array


@dataclasses.dataclass(frozen=True)
class Classification(Defaults):
    """One of K classes for each image, from its logits.

    Attributes:
      width: K, the number of classes.
      label_smoothing: share of the label that is spread over all classes in the loss, in [0, 1). The metrics
        report the cross-entropy without it.
      class_weights: (K,) factors of the loss of each class; None: 1. The metrics do without them, too.

    Example:
      >>> task = Classification(10)
      >>> task.loss(jnp.zeros((2, 10)), jnp.array([3, 4])).shape
      (2,)
    """

    width: int
    label_smoothing: float = 0.0
    class_weights: tuple[float, ...] | None = None

    target: ClassVar[str] = "labels"
    columns: ClassVar[tuple[Column, ...]] = (
        Column("loss", "cross-entropy", scale="log"),
        Column("accuracy", "accuracy", ".2%"),
    )
    note: ClassVar[str] = "precision, recall and f1 are macro means"
    mixes: ClassVar[bool] = True

    @classmethod
    def create(
        cls, data: Data, label_smoothing: float = 0.0, loss: str | None = None, balanced: bool = False
    ) -> "Classification":
        """Classification into the classes of a data set.

        Args:
          data: description of the data set.
          label_smoothing: share of a label that is spread over all classes, in [0, 1).
          balanced: weigh the loss of every class by N / (K n) for n of N training images, as scikit-learn does:
            all classes count alike, and the mean weight is 1.

        Raises:
          ValueError: a data set without classes, or a class to balance without training images.
        """
        del loss
        if len(data.classes) < 2:
            raise ValueError(f"task='classification': expected a data set with classes, this one has {data.classes}")
        if not balanced:
            return cls(len(data.classes), label_smoothing)
        if absent := [name for name, count in zip(data.classes, data.class_counts, strict=True) if not count]:
            raise ValueError(f"class_weights='balanced': class {absent[0]!r} has no training images")
        mean = sum(data.class_counts) / len(data.classes)
        return cls(len(data.classes), label_smoothing, tuple(mean / count for count in data.class_counts))

    @property
    def output_shape(self) -> tuple[int, ...]:
        """(K,): the logits of one image."""
        return (self.width,)

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Cross-entropy of each image against its smoothed label, by the weight of its class: (N,) float32."""
        losses = cross_entropy(outputs, targets, self.label_smoothing)
        return losses if self.class_weights is None else losses * jnp.array(self.class_weights, jnp.float32)[targets]

    def empty(self, examples: int = 0) -> Metrics:
        """Metrics of no images."""
        del examples
        return Metrics(jnp.zeros((self.width, self.width), jnp.int32), jnp.zeros((), jnp.float32))

    def update(self, metrics: Metrics, outputs: jax.Array, targets: jax.Array, weights: jax.Array) -> Metrics:
        """Metrics with a batch added.

        Args:
          metrics: so far.
          outputs: (N, K) logits.
          targets: (N,) int32 labels.
          weights: (N,) 1, or 0 for an image that does not count.

        Returns:
          The new `Metrics`.
        """
        losses = cross_entropy(outputs, targets)
        predictions = jnp.argmax(outputs, axis=-1)
        confusion = metrics.confusion.at[targets, predictions].add(weights.astype(jnp.int32))
        return Metrics(confusion, metrics.loss + jnp.sum(losses * weights))

    def running(self, metrics: Metrics) -> dict[str, jax.Array]:
        """Mean cross-entropy and accuracy so far."""
        count = jnp.sum(metrics.confusion).astype(jnp.float32)
        return {
            "loss": metrics.loss / count,
            "accuracy": jnp.trace(metrics.confusion).astype(jnp.float32) / count,
        }

    def summarize(self, metrics: Metrics) -> dict[str, float]:
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


def cross_entropy(logits: jax.Array, labels: jax.Array, label_smoothing: float = 0.0) -> jax.Array:
    r"""Cross-entropy of each image, against the label or its smoothed distribution.

    .. math:: -\sum_k q_k \log p_k, \qquad q_k = (1 - \epsilon) [k = y] + \epsilon / K

    Args:
      logits: (N, K), of any float dtype; computed in float32.
      labels: (N,) integers.
      label_smoothing: ε, in [0, 1).

    Returns:
      (N,) float32.

    Raises:
      ValueError: other shapes, which would broadcast to a wrong loss, or a single class, whose loss is always 0.

    Example:
      >>> round(float(cross_entropy(jnp.zeros((1, 10)), jnp.array([3]))[0]), 4)
      2.3026
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"logits of shape {logits.shape} and labels of {labels.shape}: expected (N, K) and (N,)")
    if logits.shape[1] < 2:
        raise ValueError(
            f"logits of shape {logits.shape}: expected 2 classes or more; of one logit z make two, 0 and z, whose "
            "softmax is the sigmoid of z: zoo.surgery.with_two_classes"
        )
    logits = logits.astype(jnp.float32)
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), label_smoothing)
    return optax.softmax_cross_entropy(logits, targets)


def per_class(confusion: np.ndarray) -> dict[str, np.ndarray]:
    r"""Precision, recall and F1 of each class.

    .. math:: P_k = \frac{c_{kk}}{\sum_j c_{jk}}, \quad R_k = \frac{c_{kk}}{\sum_j c_{kj}}, \quad
              F_k = \frac{2 c_{kk}}{\sum_j c_{jk} + \sum_j c_{kj}}

    Where a class was never predicted or never present, 0/0 counts as 0.

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

    def ratio(part, whole):
        return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)

    return {
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, present),
        "f1": ratio(2 * hits, predicted + present),
    }
