"""Measurements of a report: predictions, which all sections share, and the measurement of each section."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis import execution
from analysis.report.settings import Settings
from analysis.report.subject import Subject

Log = Callable[[str], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions:
    """The classifier's answers on the test images.

    Attributes:
      labels: (N,) the true classes, int32.
      logits: (N, K) float32.
    """

    labels: np.ndarray
    logits: np.ndarray

    @functools.cached_property
    def probabilities(self) -> np.ndarray:
        """(N, K), the softmax of the logits."""
        return np.asarray(jax.nn.softmax(self.logits))

    @functools.cached_property
    def classes(self) -> np.ndarray:
        """(N,) the most probable class of each test image."""
        return self.probabilities.argmax(-1)

    @functools.cached_property
    def confusion(self) -> np.ndarray:
        """(K, K) counts; row: the truth, column: the prediction."""
        counts = np.zeros((self.probabilities.shape[1],) * 2, np.int64)
        np.add.at(counts, (self.labels, self.classes), 1)
        return counts

    @property
    def accuracy(self) -> float:
        """Share of test images classified correctly."""
        return float(np.trace(self.confusion) / self.confusion.sum())

    @functools.cached_property
    def hardest(self) -> np.ndarray:
        """(N,) indices of the test images, the least probable true class first."""
        return np.argsort(self.probabilities[np.arange(len(self.labels)), self.labels], kind="stable")


@dataclasses.dataclass(frozen=True, eq=False)
class Findings:
    """Everything the page shows that was measured.

    Attributes:
      settings: with which it was measured.
      predictions: on the test images.
      sections: the measurement of each section, by its name; None: there is nothing to show.
    """

    settings: Settings
    predictions: Predictions
    sections: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Section:
    """One section of the page: how it is measured and drawn.

    Attributes:
      draw: (subject, findings) → HTML; empty: the section is left out.
      measure: (subject, settings, predictions, log) → what `Findings.sections` keeps; None: nothing of its own.
      rules: (subject, findings) → style rules of its own; None: it needs none.
    """

    draw: Callable[[Subject, Findings], str]
    measure: Callable[[Subject, Settings, Predictions, Log], Any] | None = None
    rules: Callable[[Subject, Findings], str] | None = None


def logits_of(subject: Subject, settings: Settings, images: Any) -> np.ndarray:
    """(N, K) float32 logits of (N, H, W, C) images."""
    logits = functools.partial(execution.call, execution.as_argument(subject.logits_fn))
    return np.asarray(execution.in_batches(logits, settings.batch_size, images).astype(jnp.float32))


def first_of_each_class(labels: np.ndarray, candidates: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` of the candidates: the first of every class, then the second of every class, and so on.

    Example:
      >>> first_of_each_class(np.array([1, 1, 0]), np.array([0, 1, 2]), 2).tolist()
      [2, 0]
    """
    rank = np.zeros(len(candidates), int)
    for label in np.unique(labels[candidates]):
        those = labels[candidates] == label
        rank[those] = np.arange(those.sum())
    return candidates[np.lexsort((labels[candidates], rank))][:count]
