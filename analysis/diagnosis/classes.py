"""Specialization: the relation between the channels under a global average pooling and the classes.

Reference: Morcos et al., 2018, arXiv:1803.06959.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from analysis import checks
from analysis.layers import find_layer, pooled
from analysis.network import Network
from convzoo.checks import integer

SPECIALIZED = 1 / 3
"""Selectivity from which a channel counts as a class's own: it answers its class twice as strongly as the others."""


@dataclasses.dataclass(frozen=True, eq=False)
class Specialization:
    """The relation of each channel of a layer, averaged over its pixels, to the classes.

    Attributes:
      layer: the path.
      class_means: (C, K) mean of each channel on each class.
      preferred: (C,) the class that excites each channel most; −1: constant zero.
      selectivity: (C,) in [0, 1], see `class_selectivity`; nan: constant zero.
      information: (C,) bits about the class, see `class_information`.
      owned: (K,) how many channels prefer each class with a selectivity of at least `SPECIALIZED`.
    """

    layer: str
    class_means: np.ndarray
    preferred: np.ndarray
    selectivity: np.ndarray
    information: np.ndarray
    owned: np.ndarray

    def __str__(self) -> str:
        channels, classes = self.class_means.shape
        relation = "as many as" if channels == classes else "more than" if channels > classes else "fewer than"
        typical = f"{np.nanmedian(self.selectivity):.2f}" if (self.preferred >= 0).any() else "undefined"
        return (
            f"{self.layer}: {channels} channels, {relation} the {classes} classes; median selectivity {typical}; "
            f"{(self.owned > 0).sum()} classes have a channel of their own, at most {self.owned.max()} one class; "
            f"mean information {self.information.mean():.2f} of {np.log2(classes):.2f} bits"
        )


def specialization(
    model: nn.Module,
    variables: Any,
    images: Any,
    labels: Any,
    layer: str,
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
    batch_size: int | None = 128,
) -> Specialization:
    """Measure how far channels belong to single classes.

    With global average pooling and one linear layer on top, a channel adds to the logits directly, and may
    come to belong to one class. With fewer channels than classes it cannot: several classes share a channel, and a
    class is told by a combination.

    Args:
      model: any Linen module from images to logits.
      variables: its variables.
      images: (N, H, W, C) floats in [0, 1].
      labels: (N,) classes.
      layer: the one that is averaged, behind its ReLU: by path, or by an ending that only one path has.
      preprocess: a function from images to the input of the model; None: the images themselves.
      batch_size: images held at once; None: all.

    Returns:
      The `Specialization`; printed, it is a sentence.

    Raises:
      ValueError: images, labels or a layer that are not of the above, negative activations, or just one class.

    Example:
      >>> model, images = nn.Sequential([nn.Conv(1, (1, 1)), nn.relu]), np.array([0, 0, 1, 1]).reshape(4, 1, 1, 1) / 1.0
      >>> variables = {"params": {"layers_0": {"kernel": np.ones((1, 1, 1, 1)), "bias": np.zeros(1)}}}
      >>> specialization(model, variables, images, [0, 0, 1, 1], "layers_0").selectivity.tolist()
      [1.0]
    """
    images = checks.as_images(images)
    place = find_layer(Network(model, variables, preprocess), images, layer)
    labels = _classes(labels, len(images))
    values = pooled(place, images, "mean", batch_size)
    selectivity = class_selectivity(values, labels)
    means = _class_means(values, labels)
    preferred = np.where(np.isnan(selectivity), -1, means.argmax(1))
    owned = preferred[np.nan_to_num(selectivity) >= SPECIALIZED]
    return Specialization(
        layer=place.path,
        class_means=means,
        preferred=preferred,
        selectivity=selectivity,
        information=class_information(values, labels),
        owned=np.bincount(owned, minlength=means.shape[1]),
    )


def class_selectivity(values: Any, labels: Any) -> np.ndarray:
    r"""Morcos and colleagues' index: the preferred class against the mean of all others.

    .. math:: \frac{\mu_{max} - \mu_{-max}}{\mu_{max} + \mu_{-max}}

    It is 0 for a channel that answers all classes alike, 1 for one that answers a single class, and
    (K − 1 − m) / (K − 1 + m) for one that answers 1 + m of K classes alike.

    Args:
      values: (N, C) activations of channels, none negative.
      labels: (N,) classes from 0; one that has no image counts as one that excites nothing.

    Returns:
      (C,) in [0, 1]; nan for a channel that is zero on all images.

    Raises:
      ValueError: shapes that do not fit, negative activations, or just one class.

    Example:
      >>> class_selectivity([[3.0, 1.0], [1.0, 1.0]], [0, 1]).tolist()
      [0.5, 0.0]
    """
    values, labels = _table(values, labels)
    if values.min() < 0:
        raise ValueError(
            f"the smallest activation is {values.min():.3g}, and the index needs none below zero: "
            "take the layer behind its ReLU"
        )
    means = np.sort(_class_means(values, labels), axis=1)
    highest, others = means[:, -1], means[:, :-1].mean(1)
    total = highest + others
    return np.where(total > 0, (highest - others) / np.where(total > 0, total, 1), np.nan)


def class_information(values: Any, labels: Any, bins: int = 10) -> np.ndarray:
    r"""Mutual information between a channel and the class.

    .. math:: I = \sum_{b,k} p_{bk} \log_2 \frac{p_{bk}}{p_b\,p_k} - \frac{(B - 1)(K - 1)}{2 N \ln 2}

    The values are cut into bins of equal counts; equal values stay together, so that there may be fewer bins B.
    The last term is the bias of counting N images (Miller, 1955).

    Args:
      values: (N, C) activations of channels, of any sign.
      labels: (N,) classes.
      bins: at most how many.

    Returns:
      (C,) bits, at most the entropy of the labels; slightly negative values are zero in truth.

    Raises:
      ValueError: shapes that do not fit, or just one class.

    Example:
      >>> class_information(np.repeat([[0.0], [1.0]], 500, 0), np.repeat([0, 1], 500)).round(2).tolist()
      [1.0]
    """
    values, labels = _table(values, labels)
    integer("bins", bins)
    return np.array([_information(column, labels, bins) for column in values.T])


def _information(column: np.ndarray, labels: np.ndarray, bins: int) -> float:
    edges = np.unique(np.quantile(column, np.arange(1, bins) / bins, method="lower"))
    _, cells = np.unique(np.searchsorted(edges, column, side="right"), return_inverse=True)
    _, classes = np.unique(labels, return_inverse=True)
    joint = np.zeros((cells.max() + 1, classes.max() + 1))
    np.add.at(joint, (cells, classes), 1 / len(labels))
    expected = np.outer(joint.sum(1), joint.sum(0))
    occupied = joint > 0
    bias = (joint.shape[0] - 1) * (joint.shape[1] - 1) / (2 * len(labels) * np.log(2))
    return float((joint[occupied] * np.log2(joint[occupied] / expected[occupied])).sum() - bias)


def _class_means(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    members = labels == np.arange(labels.max() + 1)[:, np.newaxis]
    return (members @ values / np.maximum(members.sum(1, keepdims=True), 1)).T


def _table(values: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
        raise ValueError(f"values of shape {values.shape}: expected finite numbers of shape (N, C)")
    return values, _classes(labels, len(values))


def _classes(labels: Any, count: int) -> np.ndarray:
    array = np.asarray(labels)
    largest = int(array.max()) if array.size and np.issubdtype(array.dtype, np.integer) else 0
    checked = np.asarray(checks.as_labels(array, largest + 1, count))
    if len(np.unique(checked)) < 2:
        raise ValueError(f"all {count} labels are {checked[0]}: expected at least two classes")
    return checked
