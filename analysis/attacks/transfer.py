"""Attacks by way of another model: whether images made on one fool others, and a proxy of a model that only answers.

References: Szegedy et al., 2013, arXiv:1312.6199; Papernot et al., 2016, arXiv:1602.02697.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from analysis import checks, execution
from convzoo.checks import integer

T = TypeVar("T")


class TransferMatrix(NamedTuple):
    """Accuracies of models on images that were made on each other.

    Attributes:
      names: of the K models.
      clean: (K,) shares of the images that each model classifies correctly before.
      accuracy: (K, K) of the images that the model of the column classifies correctly before, the share that it still
        does once attacked on the model of the row; NaN where it classifies none correctly before.
    """

    names: tuple[str, ...]
    clean: np.ndarray
    accuracy: np.ndarray

    def markdown(self) -> str:
        """A table of percentages, rows made on, columns tested on.

        Example:
          >>> print(TransferMatrix(("f",), np.ones(1), np.full((1, 1), 0.25)).markdown())
          | made on, tested on | f |
          |---|---|
          | (before) | 100.0 |
          | f | 25.0 |
        """
        rows = [["made on, tested on", *self.names], ["(before)", *map(_percent, self.clean)]]
        rows += [[name, *map(_percent, row)] for name, row in zip(self.names, self.accuracy, strict=True)]
        lines = [f"| {' | '.join(row)} |" for row in rows]
        return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])

    def __str__(self) -> str:
        return self.markdown()


def transfer_matrix(
    models: Mapping[str, Callable],
    images: Any,
    labels: Any,
    attack: Callable[[Callable, Any, Any], Any],
    batch_size: int | None = None,
) -> TransferMatrix:
    r"""The accuracy of each model on images attacked on each.

    .. math:: a_{ij} = \frac{\sum_n [f_j(x_n) = y_n]\, [f_j(x_n^{(i)}) = y_n]}{\sum_n [f_j(x_n) = y_n]}

    A success counts only on images that the tested model classified correctly before. It assumes that the attack and
    the preprocessing inside each function are the ones to be compared. Images that do not transfer do not make the
    tested model robust: attack it itself.

    Args:
      models: {name: logits_fn}, each (N, H, W, C) images in [0, 1] → (N, classes) logits.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) the true classes.
      attack: (logits_fn, images, labels) → adversarial images.
      batch_size: images held at once in the predictions; None: all.

    Returns:
      Names, accuracies before, and the matrix; `print` gives a table.

    Raises:
      ValueError: no models, or images, labels or functions that are not of the above.

    Example:
      >>> above = lambda level: lambda x: (x[:, 0, 0] - level) @ jnp.array([[1.0, -1.0]])
      >>> darker = lambda logits_fn, images, labels: images - 0.25
      >>> models = {"above half": above(0.5), "above a quarter": above(0.25)}
      >>> transfer_matrix(models, jnp.full((1, 1, 1, 1), 0.625), [0], darker).accuracy.tolist()
      [[0.0, 1.0], [0.0, 1.0]]
    """
    if not isinstance(models, Mapping) or not models:
        raise ValueError(f"models={models!r}: expected a dictionary of functions by name")
    functions = {name: checks.inputs(function, images, labels)[0] for name, function in models.items()}
    for checked in functions.values():
        checks.several(checks.classes_of(checked, checks.as_images(images)))
    truth = np.asarray(labels)

    def right(images):
        return np.stack([_predicted(f, images, batch_size) == truth for f in functions.values()])

    before = right(checks.as_images(images))
    count = before.sum(1)
    rows = []
    for function in models.values():
        still = (before & right(checks.as_images(attack(function, images, labels)))).sum(1)
        rows.append(np.where(count > 0, still / np.maximum(count, 1), np.nan))
    return TransferMatrix(tuple(models), before.mean(1), np.stack(rows))


def proxy(
    predict: Callable[[np.ndarray], Any],
    images: Any,
    fit: Callable[[Any, np.ndarray], T],
    batch_size: int | None = None,
) -> T:
    """A model of one's making that imitates one which can only be asked, to be attacked in its place.

    It costs one query an image, and none afterwards. It assumes that the images resemble those to be attacked, and
    that `fit` trains on probabilities. A proxy that is fooled where the original is not shows a poor imitation, not a
    robust original: `attacks.transfer_matrix` compares them.

    Args:
      predict: (M, H, W, C) NumPy images → (M, classes) logits or probabilities; only called, never traced.
      images: (N, H, W, C) floats in [0, 1].
      fit: (images, (N, classes) float32 probabilities) → a differentiable logits function. Answers of `predict` whose
        rows are non-negative and add up to one are taken as they are, others through a softmax.
      batch_size: images of a call, the last filled by repeating its last image; None: all.

    Returns:
      What `fit` gives.

    Raises:
      ValueError: images or a batch size that are not of the above, or scores that are malformed or not finite.

    Example:
      >>> predict = lambda images: np.concatenate([images[:, 0, 0], 1 - images[:, 0, 0]], 1)
      >>> proxy(predict, np.full((1, 1, 1, 1), 0.25, np.float32), lambda images, soft: soft.tolist())
      [[0.25, 0.75]]
    """
    images = np.asarray(checks.as_images(images))
    size = len(images) if batch_size is None else integer("batch_size", batch_size)
    parts = []
    for start in range(0, len(images), size):
        rows = np.minimum(np.arange(start, start + size), len(images) - 1)
        scores = np.asarray(predict(images[rows]))
        if scores.ndim != 2 or len(scores) != size or scores.shape[1] < 2:
            raise ValueError(
                f"predict gave {checks.form(scores)} for {size} images: expected ({size}, classes) scores"
                f"{checks.second_class(scores)}"
            )
        parts.append(scores.astype(np.float64))
    scores = np.concatenate(parts)[: len(images)]
    wrong = np.flatnonzero(~np.isfinite(scores).all(1))
    if wrong.size:
        raise ValueError(f"predict gave scores that are not finite for image {wrong[0]}")
    if (scores < 0).any() or np.abs(scores.sum(1) - 1).max() > 1e-3:
        scores = np.exp(scores - scores.max(1, keepdims=True))
        scores /= scores.sum(1, keepdims=True)
    return fit(images, scores.astype(np.float32))


def _predicted(function: Callable, images: Any, batch_size: int | None) -> np.ndarray:
    return np.asarray(execution.in_batches(lambda batch: _answers(function, batch), batch_size, images))


@jax.jit
def _answers(function, images):
    return jnp.argmax(function(images), 1)


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f}"
