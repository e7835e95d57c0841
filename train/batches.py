"""Batches of one shape, in an order that follows from the seed and the epoch."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from train.datasets import Split, stream


class Batch(NamedTuple):
    """Images of one step: NumPy arrays, or traced ones inside a compiled step.

    Attributes:
      images: (B, H, W, C) float32 in [0, 1].
      targets: (B, ...) of a task: int32 labels for classification.
      weights: (B,) float32: 1, and 0 for an image that only fills the batch.
      other: (B, ...) second targets of mixed images; None: images are not mixed.
      share: (B,) float32 in [0, 1], the part of the loss that belongs to the first targets; None where `other` is.
    """

    images: Any
    targets: Any
    weights: Any
    other: Any = None
    share: Any = None


def number_of_batches(images: int, batch_size: int) -> int:
    """Number of batches that hold all images: ceil(images / batch_size).

    Example:
      >>> number_of_batches(1437, 128)
      12
    """
    return -(-images // batch_size)


def order(images: int, seed: int, epoch: int) -> np.ndarray:
    """The order in which an epoch visits the images, a function of the arguments alone.

    Args:
      images: number of images.
      seed: of the run, not negative.
      epoch: counted from 0.

    Returns:
      (images,) a permutation.

    Example:
      >>> bool((order(100, seed=0, epoch=3) == order(100, seed=0, epoch=3)).all())
      True
    """
    return np.random.default_rng([seed, epoch]).permutation(images)


def grouped_order(labels: np.ndarray, batch_size: int, per_label: int, seed: int, epoch: int) -> np.ndarray:
    """An order whose batches hold several images of each of a few labels, for losses on pairs.

    Every batch is full, and the number of batches is that of `order`. Labels are drawn equally often, whatever their
    number of images; an image comes again when all others of its label were visited, and within a batch only where
    the label has fewer images than it gives. Labels with a single image are left out.

    Args:
      labels: (N,) integers; at least one label with 2 images.
      batch_size: images a batch, at least 2.
      per_label: images of each label in a batch; more where there are too few labels to fill it.
      seed: of the run, not negative.
      epoch: counted from 0.

    Returns:
      (batches · batch_size,) indices, a function of the arguments alone.

    Example:
      >>> labels = np.array([0, 0, 1, 1, 1, 2])
      >>> labels[grouped_order(labels, 4, per_label=2, seed=0, epoch=0)].reshape(2, 4).tolist()
      [[0, 0, 1, 1], [1, 1, 0, 0]]
    """
    stream = np.random.default_rng([seed, epoch])
    rows = {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}
    rows = {label: indices for label, indices in rows.items() if len(indices) > 1}
    names = np.array([*rows])
    count = min(max(batch_size // per_label, 1), len(names))
    queues: dict[int, list[int]] = {label: [] for label in rows}
    visits: list[int] = []
    for _ in range(number_of_batches(len(labels), batch_size)):
        chosen = stream.choice(names, count, replace=False)
        for label, places in zip(chosen.tolist(), np.array_split(np.arange(batch_size), count), strict=True):
            while len(queues[label]) < len(places):
                waiting = set(queues[label]) if len(rows[label]) >= len(places) else set()
                queues[label] += [row for row in stream.permutation(rows[label]).tolist() if row not in waiting]
            visits += queues[label][: len(places)]
            del queues[label][: len(places)]
    return np.array(visits)


def batches(
    split: Split, visits: np.ndarray, batch_size: int, start: int = 0, target: str = "labels"
) -> Iterator[Batch]:
    """Cut an order of images into batches.

    The last batch is filled with the images that came first, at weight 0: real images, because the statistics
    of batch normalization see them too.

    Args:
      split: the images and targets.
      visits: (N,) indices in the order of their visits.
      batch_size: images a batch.
      start: batches to leave out, for an epoch that was begun before.
      target: the targets of the task, as in `Split.target`.

    Yields:
      A `Batch` of new arrays, all of one shape.
    """
    total = number_of_batches(len(visits), batch_size)
    filled = np.resize(visits, total * batch_size)
    targets = split.target(target)
    weights = (np.arange(len(filled)) < len(visits)).astype(np.float32)
    parts = [slice(index * batch_size, (index + 1) * batch_size) for index in range(start, total)]
    images = stream.fetch(split.images, (filled[part] for part in parts))
    for part, some in zip(parts, images, strict=True):
        yield Batch(some, targets[filled[part]], weights[part])
