"""The subject of a report: a classifier, its test images and the record of its training, as plain values."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from analysis import checks
from analysis.execution import as_argument
from analysis.network import Network

Figures = Mapping[str, float]


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A trained classifier, its test images, and the record of its training.

    Attributes:
      title: heading of the page.
      classes: the name of each class, in the order of the labels.
      images: (N, H, W, C) test images in [0, 1], of 1 or 3 channels.
      labels: (N,) their classes.
      logits_fn: images -> (N, K) logits; any JAX function.
      network: the same as a model with its variables, for what looks into it; None: a function is all there is.
      facts: what the head of the page lists, by name.
      history: one mapping an epoch, `{"epoch": 1, "train": {"loss": ..., ...}, "test": {...}}`;
        accuracies and the like are fractions.
      per_class: (K, K) counts, row the truth, column the prediction -> figures of each class, by name.
      names: (N,) of the test images, such as those of their files; None: their numbers.
      counts: images of each split of the history, from which its percentages have their digits; a split that is not
        named has as many as there are test images.
      command: the line that wrote the page.

    Raises:
      ValueError: images, labels and classes that do not fit each other, or a function of a single logit.
    """

    title: str
    classes: Sequence[str]
    images: np.ndarray
    labels: np.ndarray
    logits_fn: Callable[[jax.Array], jax.Array]
    network: Network | None = None
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    per_class: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None
    names: Sequence[str] | None = None
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    command: str = ""

    def __post_init__(self):
        shape = np.shape(self.images)
        if len(shape) != 4 or shape[-1] not in (1, 3) or not shape[0]:
            raise ValueError(f"images of shape {shape}: expected (N, H, W, C) with 1 or 3 channels")
        if np.shape(self.labels) != shape[:1]:
            raise ValueError(f"labels of shape {np.shape(self.labels)} for {shape[0]} images: expected ({shape[0]},)")
        if self.names is not None and len(self.names) != shape[0]:
            raise ValueError(f"{len(self.names)} names for {shape[0]} images: expected one each")
        if not 0 <= np.min(self.labels) <= np.max(self.labels) < len(self.classes):
            raise ValueError(
                f"labels from {np.min(self.labels)} to {np.max(self.labels)} for {len(self.classes)} classes: "
                f"expected 0 to {len(self.classes) - 1}"
            )
        checks.several(checks.classes_of(as_argument(self.logits_fn), self.images))

    def name(self, index: int) -> str:
        """The name of a test image."""
        return f"no. {index}" if self.names is None else str(self.names[index])

    def depths(self, most: int) -> tuple[str, ...]:
        """Layers with spatial extent, the shallowest first; none without a network."""
        return self.network.depths(np.shape(self.images)[1:], most) if self.network else ()
